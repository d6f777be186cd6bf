"""Whole families of tasks by one click: what is chosen already keeps its place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.launch import families, summary
from compt_core.tasks.table import SUITES, TASKS

SUBSETS = st.lists(st.sampled_from(list(TASKS)), unique=True)


def test_groups_are_the_families_of_a_suite_and_all_of_it():
    assert families.groups("glue") == {
        "all": SUITES["glue"], "acceptability": ("cola",), "sentiment": ("sst2",), "paraphrase": ("mrpc", "qqp"),
        "similarity": ("stsb",), "inference": ("mnli", "qnli", "rte")}
    assert families.groups("set2")["paraphrase"] == ("mrpc", "paws"), "a task may be in two suites"


def test_a_click_adds_a_family_behind_what_is_chosen_and_takes_it_out_again():
    tasks = ["rte", "demo-mood", "mnli"]
    more = families.changed("glue", tasks, ["inference"])
    assert more == ["rte", "demo-mood", "mnli", "qnli"]
    assert families.whole("glue", more) == ["inference"]
    assert families.changed("glue", more, []) == ["demo-mood"]


def test_a_family_out_of_a_whole_suite_leaves_the_rest():
    tasks = list(SUITES["glue"])
    wanted = [name for name in families.whole("glue", tasks) if name != "inference"]
    assert families.changed("glue", tasks, wanted) == ["cola", "sst2", "mrpc", "qqp", "stsb"]


@given(SUBSETS, st.sampled_from(list(SUITES)), st.data())
def test_any_click_changes_only_its_group(tasks, suite, data):
    group = data.draw(st.sampled_from(list(families.groups(suite))))
    before, members = families.whole(suite, tasks), set(families.groups(suite)[group])
    wanted = [name for name in before if name != group] if group in before else [*before, group]
    after = families.changed(suite, tasks, wanted)
    assert [task for task in after if task not in members] == [task for task in tasks if task not in members]
    assert (set(after) & members) == (set() if group in before else members)
    assert [task for task in after if task in tasks] == [task for task in tasks if task in after], "no task moves"


def test_the_buttons_follow_the_list_and_the_list_the_buttons(visit):
    form = visit("launch")
    buttons = form.get_by_key("families.demo")
    assert buttons.value == ["all", "sentiment", "paraphrase", "inference"]
    buttons.set_value(["sentiment"]).run()
    assert not form.exception
    assert form.multiselect(key="form.tasks").value == []  # "all" was taken out
    form.get_by_key("families.glue").set_value(["inference"]).run()
    form.get_by_key("families.set2").set_value(["all"]).run()
    assert form.multiselect(key="form.tasks").value == ["mnli", "qnli", "rte", *SUITES["set2"]]
    form.multiselect(key="form.tasks").set_value(["qnli", "cola"]).run()
    assert form.get_by_key("families.glue").value == ["acceptability"] and form.get_by_key("families.set2").value == []


def test_an_empty_data_folder_means_the_hub_only_where_a_task_needs_one():
    assert summary.without_folder(["demo-mood", "demo-rte"]) == "not needed for these tasks"
    for tasks in (["demo-mood", "cola"], ["unknown"], []):
        assert summary.without_folder(tasks) == "leave empty for the datasets hub"
