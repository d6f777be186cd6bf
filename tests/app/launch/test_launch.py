"""The launch form: what is typed is what is queued, problems stand beside their fields, nothing typed is lost."""

from __future__ import annotations

import pytest

from app.launch import forms, summary
from app.show.captions import plain
from app.ui import drafts, services, state
from compt_core.runs.record import State
from compt_core.settings.config import Experiment, build_experiment


def problems(app):
    return [plain([part.value]) for part in app.markdown if part.value.startswith(":red[:material/error:")]


def set_field(app, name, value):
    app.get_by_key(forms.key(name)).set_value(value)


@pytest.fixture
def form(visit):
    return visit("launch")


@pytest.fixture
def form_with(visit):
    """The form with a draft that was typed before: AppTest cannot type a new word into a list of choices."""

    def opened(**draft):
        app = visit("home")
        for name, value in {**drafts.from_preset("demo"), **draft}.items():
            app.session_state[forms.key(name)] = value
        return app.switch_page("../pages/launch.py").run()

    return opened


def test_the_demo_is_ready_to_launch(form):
    assert not form.exception and not problems(form)
    assert form.code[0].value == "python -m compt_core run --preset demo"
    assert not form.button(key="launch").disabled


def test_every_setting_has_a_field_with_help(form):
    set_field(form, "gates", "fixed")
    form.run()
    for name in set(Experiment.model_fields) - {"study"}:  # the mark of a study is not chosen by a person
        assert len(form.get_by_key(forms.key(name)).help) > 10, name


def test_a_preset_fills_the_form(form):
    form.get_by_key("form.preset").set_value("first-3").run()
    assert form.code[0].value == "python -m compt_core run --preset first-3"
    assert form.multiselect(key="form.tasks").value == list(build_experiment({}, preset="first-3").tasks)


@pytest.mark.parametrize(("field", "value", "sentence"), [
    ("shots", "0", "'shots' setting of an experiment must be"),
    ("shots", "", "'shots' setting of an experiment must be"),
    ("seeds", "1, x", "'seeds' setting of an experiment must be"),
    ("tasks", [], "'tasks' setting of an experiment must be"),
    ("variants", "pt: method=pt lr_privat=1", "Did you mean 'lr_private'?"),
    ("attention", "[[1, 2, 3, 4]]", "12 x 4"),
])
def test_a_problem_stands_below_its_field_and_the_rest_is_kept(form_with, store, field, value, sentence):
    form = form_with(**{"prompt_length": 7, "methods": ["pt", "spp"], field: value})
    assert not form.exception
    assert len(problems(form)) == 1 and sentence in problems(form)[0]
    assert form.button(key="launch").disabled
    assert form.number_input(key="form.prompt_length").value == 7
    assert form.session_state[forms.key(field)] == value
    assert form.session_state[forms.key("advanced")] is (field in drafts.ADVANCED)
    assert store.experiments() == []


def test_problems_are_reported_together(form):
    set_field(form, "shots", "0")
    set_field(form, "seeds", "x")
    form.run()
    assert len(problems(form)) == 2
    assert "2 problems to correct: Shots and Seeds." in " ".join(part.value for part in form.markdown)


def test_fields_with_a_problem_are_named_in_the_summary(form):
    set_field(form, "batch", 0)
    set_field(form, "lr_source", -1.0)
    form.run()
    summary = next(part.value for part in form.markdown if "to correct" in part.value)
    assert "Batch (rows per step) and Learning rate: sources (Advanced)." in summary


def test_a_list_of_wrong_numbers_is_one_sentence(form):
    set_field(form, "shots", "0-1999")
    form.run()
    [problem] = problems(form)
    assert "Got 0 instead, and 975 more like it." in problem


def test_many_problems_of_one_field_are_cut(form_with):
    own = "pt: method=pt a=1 b=2 c=3 d=4 e=5"
    form = form_with(variants=own)
    assert len(problems(form)) == forms.MOST_PROBLEMS
    assert ":red[There are 2 more here.]" in [part.value for part in form.markdown]
    assert "5 problems to correct: More rows." in " ".join(part.value for part in form.markdown)


@pytest.mark.parametrize(("field", "value"), [("sources", 65), ("prompt_length", 0), ("epochs", 1e6), ("steps", -3),
                                              ("warmup", 1.5), ("init_seed", 2**32)])
def test_a_number_out_of_range_is_kept_and_explained_not_replaced(form, store, field, value):
    proto = form.get_by_key(forms.key(field)).proto
    assert not (proto.has_min and proto.min > -1000), "a browser drops what is below"
    assert not (proto.has_max and proto.max < 1e15), "a browser drops what is above"
    set_field(form, field, value)
    form.run()
    [problem] = problems(form)
    assert f"'{field}' setting of an experiment must be" in problem
    assert form.number_input(key=forms.key(field)).value == value
    assert form.button(key="launch").disabled


def test_an_empty_number_says_what_it_means(form):
    shown = {name: form.get_by_key(forms.key(name)).placeholder for name in ("steps", "eval_rows", "init_seed")}
    assert shown == {"steps": "from epochs", "eval_rows": "all", "init_seed": "the run's seed"}


@pytest.mark.parametrize(("field", "value"), [("data_dir", "no/such/folder"), ("backbone", "./no-such-t5")])
def test_a_problem_of_data_or_backbone_stands_beside_its_field_and_queues_nothing(form_with, store, field, value):
    form = form_with(**{"tasks": ["cola"] if field == "data_dir" else ["demo-mood"], field: value})
    form.button(key="launch").click().run()
    assert not form.exception and not form.error
    assert any(value in problem for problem in problems(form))
    assert store.experiments() == []
    assert form.session_state[forms.key(field)] == value


def test_check_counts_and_queues_nothing(form, store):
    form.button(key="check").click().run()
    assert not form.exception and not problems(form)
    table = form.table[0].value
    assert "Trainable parameters" in table.index and store.experiments() == []
    assert "unknown until a fleet" in table.loc["Estimated time"].item()


def test_launch_queues_what_the_form_says(form, store):
    for name, value in (("shots", "4, 8"), ("seeds", "0-1"), ("tasks", ["demo-mood", "demo-echo"]), ("steps", 3),
                        ("eval_rows", 20), ("lr_source", 0.04), ("gates", "fixed")):
        set_field(form, name, value)
    form.run()
    set_field(form, "alpha", 0.25)
    set_field(form, "beta", 1.5)
    form.run()
    form.button(key="launch").click().run()
    assert not form.exception, form.exception
    wanted = build_experiment({"shots": [4, 8], "seeds": [0, 1], "tasks": ["demo-mood", "demo-echo"], "steps": 3,
                               "eval_rows": 20, "lr_source": 0.04, "gates": "fixed", "alpha": 0.25, "beta": 1.5},
                              preset="demo")
    [queued] = store.experiments()
    assert Experiment.model_validate(queued.config) == wanted
    assert queued.states == {State.QUEUED: 16}
    assert form.title[0].value == "Runs" and form.query_params["exp"] == queued.id


def second_click(app, page, button):
    """Presses `button` of the page as it is drawn now, twice, as a double click does."""
    drawn = app._tree
    app.button(key=button).click().run()
    first = app.query_params["exp"]
    app._tree = drawn  # the browser has not heard of the new page yet, and sends the same drawing's button once more
    app.switch_page(f"../pages/{page}.py").run()
    return first


@pytest.mark.parametrize(("page", "button"), [("launch", "launch"), ("home", "run_demo")])
def test_a_double_click_queues_once_and_a_later_one_again(visit, store, page, button):
    app = visit(page)
    first = second_click(app, page, button)
    assert not app.exception and app.title[0].value == "Runs"
    assert [record.id for record in store.experiments()] == [first]
    assert app.query_params["exp"] == first
    app.switch_page(f"../pages/{page}.py").run()
    app.button(key=button).click().run()
    assert len(store.experiments()) == 2


def test_what_was_queued_is_remembered_where_the_next_call_into_streamlit_ends_the_script():
    queued = {}
    assert [state.once(queued, "a", lambda: "1"), state.once(queued, "a", lambda: "2")] == ["1", "1"]
    assert state.once(queued, "b", lambda: "3") == "3" and queued == {"a": "1", "b": "3"}


def test_the_draft_survives_a_visit_to_another_page(form):
    set_field(form, "shots", "5, x")
    set_field(form, "epochs", 3.5)
    form.run()
    form.switch_page("../pages/home.py").run()
    form.switch_page("../pages/launch.py").run()
    assert not form.exception
    assert form.text_input(key="form.shots").value == "5, x"
    assert form.number_input(key="form.epochs").value == 3.5
    assert len(problems(form)) == 1


def test_hidden_fields_keep_their_values(form):
    for gates in ("fixed", "learned", "off", "fixed"):
        set_field(form, "gates", gates)
        form.run()
        assert not form.exception
        if gates == "fixed" and form.session_state[forms.key("alpha")] is None:
            set_field(form, "alpha", 0.25)
            set_field(form, "shots", "5")
            form.run()
    assert form.number_input(key="form.alpha").value == 0.25
    assert form.text_input(key="form.shots").value == "5"


def test_the_demo_button_queues_the_demo_and_opens_it(visit, store):
    app = visit("home")
    app.button(key="run_demo").click().run()
    assert not app.exception
    [queued] = store.experiments()
    assert Experiment.model_validate(queued.config) == build_experiment({}, preset="demo")
    assert app.title[0].value == "Runs" and app.query_params["exp"] == queued.id


def test_a_field_says_which_methods_have_their_own_value_and_a_change_holds_for_all(form_with):
    form = form_with(methods=["pt", "spp"], variants="pt: method=pt steps=9 clip=2.0")
    captions = [part.value for part in form.caption]
    assert any(text.startswith("PT: 9 (") for text in captions)
    form.number_input(key=forms.key("steps")).set_value(4).run()
    assert form.session_state[forms.key("variants")] == "pt: method=pt clip=2.0"
    assert not any("PT: 9" in part.value for part in form.caption)


@pytest.mark.parametrize(("sources", "said"), [(1, "sigmoid ("), (6, "softmax (S = 6 sources, at most half"),
                                               (7, "sparsemax (S = 7 sources, more than half of K = 12 tasks).")])
def test_auto_says_which_normaliser_and_why(form, sources, said):
    set_field(form, "normalizer", "auto")
    set_field(form, "sources", sources)
    form.run()
    assert any(part.value.startswith(f"auto chooses {said}") for part in form.caption)
    set_field(form, "normalizer", "sparsemax")
    form.run()
    assert not any(part.value.startswith("auto chooses") for part in form.caption)


def test_the_memory_is_told_with_what_it_rests_on(form):
    checked, _ = services.check(build_experiment({}, preset="demo"))
    before, after = (summary.check_rows(checked, None, memory, 0.0)["Estimated memory"] for memory in (None, 1.23e9))
    own = f"about {26 * sum(checked.parameters) / 1e6:.0f} MB for the {sum(checked.parameters):,} numbers"
    assert before.startswith("unknown until a fleet") and own in before
    assert after.startswith(f"1.2 GB: {own}")
