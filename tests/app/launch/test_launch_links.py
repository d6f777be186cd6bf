"""Links to Launch: what they say is what the form shows, whatever stands in them; the visitor's changes win after."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from app.launch import forms, links
from app.show.captions import plain
from app.ui import drafts, rows
from app.ui.command import command_line
from compt_core.runs.schema import experiments
from compt_core.settings.config import Experiment, build_experiment
from compt_core.settings.presets import PRESETS
from compt_core.settings.values import field_of

TASKS = ["demo-mood", "demo-echo", "cola"]
DRAFTS = st.builds(
    lambda preset, changes: drafts.from_preset(preset) | changes,
    st.sampled_from(list(PRESETS)),
    st.fixed_dictionaries({}, optional={
        "shots": st.sampled_from(["8", "4, 16", "0-9", "x", "", "1, 2, y"]),
        "seeds": st.sampled_from(["0-9", "3", "a, b"]),
        "tasks": st.lists(st.sampled_from([*TASKS, "nö-such"]), unique=True),
        "methods": st.lists(st.sampled_from(["pt", "mst", "spp"]), unique=True),
        "sources": st.one_of(st.none(), st.integers(-3, 99)), "steps": st.one_of(st.none(), st.integers(-5, 10**7)),
        "lr_private": st.one_of(st.none(), st.floats(-1, 1e6)), "epochs": st.floats(0, 1e5),
        "data_dir": st.text(max_size=30), "backbone": st.sampled_from(["demo", "my/t5, small", "é&=?#%+"]),
        "attention": st.sampled_from(["learned", "uniform", "[[1, 0], [0.5, 0.5]]", "[["]),
        "gates": st.sampled_from(["fixed", "off"]), "alpha": st.floats(0, 10),
        "variants": st.sampled_from(["", "pt: method=pt steps=7 clip=2", "pt: '", "a: method=mst lr_source=0.1\nb: x"]),
    }))


def followed(address):
    query = dict(parse_qsl(urlsplit(address).query, keep_blank_values=True, strict_parsing=True))
    return links.read(query, drafts.from_preset(query["preset"]))


@settings(max_examples=30)
@given(DRAFTS)
def test_a_link_brings_back_the_draft_right_or_wrong(draft):
    found, problems = followed(links.address("http://x/launch", links.parameters(draft)))
    assert found == draft and problems == []


@settings(max_examples=50)
@given(st.dictionaries(st.one_of(st.sampled_from([*drafts.FIELDS, "method", "seed", "method_settings", "no-such"]),
                                 st.text(max_size=5)),
                       st.one_of(st.text(max_size=12), st.sampled_from(["nan", "inf", "-1e400", "9" * 400, "1:30", "[",
                                                                        "{a: !!python/object:x {}}", "yes", "0x1p"])),
                       max_size=5), st.sampled_from(list(PRESETS)))
def test_whatever_a_link_says_is_kept_or_explained(query, preset):
    start = drafts.from_preset(preset)
    draft, problems = links.read(query, start)
    assert draft.keys() == start.keys()
    drafts.build(draft)
    given_names = {field_of(name) for name in query}
    if "method_settings" in given_names:
        given_names = given_names - {"method_settings"} | {"variants"}
    for name in draft.keys() - {"variants"}:
        assert name in given_names or draft[name] == start[name]
    assert {p.field for p in problems} <= given_names | {""}
    assert sum(p.field == "" for p in problems) == bool(given_names - draft.keys() - {"preset", "from"})


def test_a_link_says_only_what_differs_and_reads_well():
    draft = drafts.from_preset("demo") | {"shots": "8, 16", "sources": 5}
    draft["variants"] = rows.for_all(draft["variants"], "sources")
    assert links.address("http://lab/launch", links.parameters(draft)) == \
        "http://lab/launch?preset=demo&sources=5&shots=8,16"
    draft["sources"] = 4  # what the preset has, but now for SCP, too
    assert links.parameters(draft) == {"preset": "demo", "sources": "4", "shots": "8,16"}
    assert links.parameters(drafts.from_preset("set2")) == {"preset": "set2"}


def test_what_a_link_sets_holds_for_all_methods_as_on_the_command_line():
    draft, _ = links.read({"lr_private": "0.5", "steps": "7", "method": "pt,spp"}, drafts.from_preset("demo"))
    experiment, issues = drafts.build(draft)
    assert not issues
    assert experiment == build_experiment({"lr_private": 0.5, "steps": 7, "methods": "pt,spp"}, preset="demo")


@pytest.mark.parametrize(("name", "text", "sentence"), [
    ("sources", "abc", "must be an integer in [1, 64]. Got 'abc'"), ("sources", "2.5", "Got '2.5'"),
    ("gates", "open", "one of 'learned', 'fixed', 'off'"),
    ("methods", "pt,xx", "Got 'pt,xx'"), ("lr_gate", "nan", "Got 'nan'"), ("steps", "9" * 30, "must be an integer"),
    ("data_dir", "x" * 2001, "2,001 characters for 'data_dir'"),
    ("steps", "1:30", "Got '1:30'"), ("steps", "!!bool x", "Got '!!bool x'"), ("clip", "&a [*a]", "Got '&a [*a]'"),
    ("sources", "0x4", "Got '0x4' instead; it is left out. Write 4, in decimal digits."),
    ("batch", "٣", "Got '٣' instead; it is left out. Write 3, in decimal digits."), ("sources", "4.0", "Got '4.0'"),
    ("clip", "1e999", "Got '1e999'"),
])
def test_what_a_field_cannot_hold_is_left_out_and_said_beside_it(name, text, sentence):
    start = drafts.from_preset("demo")
    draft, [problem] = links.read({name: text, "shots": "4"}, start)
    assert problem.field == name and sentence in problem.message
    assert draft == start | {"shots": "4"}


def test_a_link_without_tasks_is_a_sentence_beside_the_field():
    draft, found = links.read({"tasks": ""}, drafts.from_preset("demo"))
    _, [issue] = drafts.build(draft)
    assert not found and issue.field == "tasks" and "must be one or more task names. Got nothing" in issue.message


def test_many_seeds_are_a_range_in_a_link():
    draft = drafts.from_experiment(build_experiment({"seeds": "0-499"}, preset="demo"))
    assert links.parameters(draft) == {"preset": "demo", "seeds": "0-499"}


def test_numbers_of_a_link_are_what_was_typed():
    draft, found = links.read({"sources": "010", "clip": "1e1", "seed": "08"}, drafts.from_preset("demo"))
    assert not found and (draft["sources"], draft["clip"], draft["seeds"]) == (10, 10.0, "08")
    assert drafts.build(draft)[0].seeds == (8,)


def test_what_a_link_gives_twice_is_one_list_or_left_out_and_said():
    query, found = links.gathered({"steps": ["2", "3"], "tasks": ["demo-mood", "demo-echo"], "seed": ["1", "2"],
                                   "preset": ["demo", "glue"], "batch": ["5"]})
    assert query == {"tasks": "demo-mood,demo-echo", "seed": "1,2", "batch": "5"}
    assert [issue.message for issue in found] == ["This link gives 'steps' 2 times, so it is left out. Give it once.",
                                                  "This link gives 'preset' 2 times, so it is left out. Give it once."]
    draft, _ = links.read({"method": "pt", "methods": "spp", "seeds": "1", "seed": "2"}, drafts.from_preset("demo"))
    assert (draft["methods"], draft["seeds"]) == (["pt", "spp"], "1, 2")


def problems(app):
    return [plain([part.value]) for part in app.markdown if part.value.startswith(":red[:material/error:")]


def test_the_form_opens_as_the_link_says_and_shows_the_link_of_what_it_holds(visit):
    form = visit("launch", preset="first-3", shots="4,32", sources="3")
    assert not form.exception and not problems(form) and not form.warning
    assert form.text_input(key="form.shots").value == "4, 32"
    assert form.number_input(key="form.sources").value == 3
    assert form.get_by_key("form.preset").value == "first-3"
    [link] = [part.value for part in form.code if "/launch?" in part.value]
    query = dict(parse_qsl(urlsplit(link).query))
    again = visit("launch", **query)
    assert {name: again.session_state[forms.key(name)] for name in drafts.FIELDS} == \
        {name: form.session_state[forms.key(name)] for name in drafts.FIELDS}


def test_a_link_is_applied_once_then_the_draft_is_the_visitors(visit):
    form = visit("launch", preset="demo", shots="4", no_such="1")
    assert len(form.warning) == 1 and "sets 'no\\_such'" in form.warning[0].value
    form.run()
    assert len(form.warning) == 1, "the sentence stays until something is changed"
    assert form.query_params["shots"] == "4", "a reload shows the same"
    form.text_input(key="form.shots").set_value("64").run()
    assert form.text_input(key="form.shots").value == "64" and not form.warning
    assert "shots" not in form.query_params, "the address would say something else than the form"
    form.run()
    assert form.text_input(key="form.shots").value == "64"


def test_a_link_of_nonsense_keeps_what_is_right(visit):
    form = visit("launch", preset="no-such", shots="8,x", sources="many", tasks="demo-mood,demo-mod", lr_gate="fast",
                 batch="7")
    assert not form.exception
    assert "names the preset 'no-such'" in plain([form.warning[0].value])
    found = " ".join(problems(form))
    for sentence in ("'shots' setting of an experiment must be", "'sources' setting of this link must be an integer",
                     "'lr_gate' setting of this link must be a number"):
        assert sentence in found
    assert form.number_input(key="form.batch").value == 7 and form.text_input(key="form.shots").value == "8, x"
    assert form.multiselect(key="form.tasks").value == ["demo-mood", "demo-mod"]
    form.text_input(key="form.shots").set_value("8").run()
    assert "There is no task 'demo-mod'. Did you mean" in " ".join(problems(form))
    assert form.button(key="launch").disabled


def test_new_from_an_experiment_and_from_a_run(visit, lab, store):
    identity = lab.queued(shots="8,32", methods=None, seeds="3,5",
                          variants=["mst: method=mst", "long: method=scp clip=2.0"])
    form = visit("launch", **{"from": identity})
    assert not form.exception and not problems(form)
    wanted = Experiment.model_validate(store.experiment(identity).config)
    draft = {name: form.session_state[forms.key(name)] for name in drafts.FIELDS}
    assert drafts.build(draft) == (wanted, ()) and form.get_by_key("form.preset").value is None
    last = store.runs(identity)[-1]
    form = visit("launch", **{"from": last.id, "batch": "5"})
    draft = {name: form.session_state[forms.key(name)] for name in drafts.FIELDS}
    one, issues = drafts.build(draft)
    assert not issues
    assert (one.methods, one.shots, one.seeds, one.clip, one.batch) == (("scp",), (32,), (5,), 2.0, 5)
    assert any("long, 32 shots, seed 5" in plain([part.value]) for part in form.caption)


@pytest.mark.parametrize("unknown", ["0123456789", "../../etc", "x" * 500, "<script>"])
def test_an_unknown_id_is_a_sentence_over_a_form_that_works(visit, unknown):
    form = visit("launch", **{"from": unknown, "shots": "4"})
    assert not form.exception
    assert "no run and no experiment of this store" in form.warning[0].value
    assert form.text_input(key="form.shots").value == "4" and not form.button(key="launch").disabled


@pytest.fixture
def old(lab, store):
    """An experiment whose settings no longer fit."""
    identity = lab.finished(methods="mst,spp", references=False)
    with store._database.write() as connection:
        config = store.experiment(identity).config | {"a_setting_of_old": 1}
        connection.execute(update(experiments).where(experiments.c.id == identity).values(config=config))
    return identity


def test_settings_of_another_version_are_a_sentence(visit, old):
    form = visit("launch", **{"from": old})
    assert not form.exception and "another version of ComPT Lab" in form.warning[0].value
    app = visit("runs", exp=old)
    app.session_state["again"] = True
    app.run()
    assert not app.exception and any("another version" in part.value for part in app.warning)


def test_runs_offers_to_repeat_the_experiment_and_one_run(visit, lab, store):
    identity = lab.finished(methods="mst,spp", seeds="0,7", references=False)
    app = visit("runs", exp=identity)
    assert not app.exception and not any("compt_core run" in part.value for part in app.code)
    app.session_state["again"] = True
    app.run()
    [line] = [part.value for part in app.code if part.value.startswith("python -m compt_core run")]
    assert line == command_line(Experiment.model_validate(store.experiment(identity).config))
    last = store.runs(identity)[-1]
    app.selectbox(key=f"again-{identity}").set_value(last.id).run()
    [line] = [part.value for part in app.code if part.value.startswith("python -m compt_core run")]
    assert "--methods spp" in line and "--seeds 7" in line


def test_a_link_from_runs_can_be_followed_twice(visit, lab):
    identity = lab.queued(shots="32")
    form = visit("launch", **{"from": identity})
    form.text_input(key="form.shots").set_value("4").run()
    form.switch_page("../pages/runs.py").run()
    form.query_params["from"] = identity
    form.switch_page("../pages/launch.py").run()
    assert form.text_input(key="form.shots").value == "32"
