"""The form's values: there and back, and a command line that says the same."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.launch import summary
from app.ui import drafts, rows
from app.ui.command import command_line
from compt_core.settings.config import build_experiment, parse_value
from compt_core.settings.presets import PRESETS

OPTIONS = {"--backbone": "backbone", "--tasks": "tasks", "--methods": "methods", "--shots": "shots", "--seeds": "seeds",
           "--steps": "steps", "--eval-rows": "eval_rows", "--data-dir": "data_dir"}
CHANGES = st.fixed_dictionaries({}, optional={
    "shots": st.lists(st.integers(4, 64), min_size=1, max_size=3, unique=True),
    "seeds": st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
    "sources": st.integers(1, 9), "steps": st.one_of(st.none(), st.integers(1, 50)),
    "gates": st.sampled_from(["learned", "off"]), "lr_private": st.one_of(st.none(), st.floats(0, 1)),
    "normalizer": st.sampled_from(["auto", "sparsemax"]), "data_dir": st.sampled_from([None, "my data/glue", "it's"]),
    "attention": st.sampled_from(["learned", "uniform"]), "dropout": st.sampled_from([0.0, 0.1]),
})


def read_back(line):
    """The experiment that the command line asks for, read by the rules of the interface and nothing of drafts."""
    words = shlex.split(line)
    assert words[:4] == ["python", "-m", "compt_core", "run"]
    raw, preset = {}, None
    for option, value in zip(words[4::2], words[5::2], strict=True):
        if option == "--preset":
            preset = value
        elif option == "--variant":
            raw.setdefault("variants", []).append(value)
        elif option == "--set":
            name, _, text = value.partition("=")
            raw[name] = parse_value(text)
        else:
            raw[OPTIONS[option]] = value
    return build_experiment(raw, preset=preset)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_goes_through_the_form_unchanged(preset):
    wanted = build_experiment({}, preset=preset)
    assert drafts.build(drafts.from_preset(preset)) == (wanted, ())
    assert drafts.changed(drafts.from_preset(preset), preset) == []
    assert read_back(command_line(wanted)) == wanted


@settings(max_examples=40)  # each builds four experiments
@given(CHANGES, st.sampled_from(["demo", "first-2", "first-3"]))
def test_the_command_line_says_the_same_as_the_form(changes, preset):
    wanted = build_experiment(changes, preset=preset)
    assert read_back(command_line(wanted)) == wanted
    assert drafts.build(drafts.from_experiment(wanted)) == (wanted, ())


def test_the_command_is_as_short_as_it_can_be():
    lines = ["mst: method=mst clip=2", "long: method=pt prompt_length=9"]
    wanted = build_experiment({"variants": lines}, preset="glue")
    assert read_back(command_line(wanted)) == wanted
    rows = build_experiment({"methods": "pt,spp", "variants": ["long: method=pt prompt_length=9"]}, preset="demo")
    line = command_line(rows)
    assert read_back(line) == rows and "--methods pt,spp --variant 'long: method=pt " in line
    assert command_line(build_experiment({"sources": 5}, preset="glue")).endswith(
        "run --preset glue --set sources=5")
    seeds = build_experiment({"seeds": "0-2"}, preset="glue")
    assert command_line(seeds).endswith("run --preset glue --seeds 0-2")
    many = build_experiment({"methods": "mst", "seeds": "0-99", "shots": [8, 16, 4, 5, 6]}, preset="glue")
    assert command_line(many).endswith("run --preset glue --methods mst --shots 8,16,4-6 --seeds 0-99")
    assert drafts.from_experiment(many)["seeds"] == "0-99" and read_back(command_line(many)) == many


def test_a_fixed_attention_matrix_goes_through_form_and_command_line():
    wanted = build_experiment({"tasks": "cola,sst2", "sources": 3, "attention": [[1, 0, 0], [0, 0.5, 0.5]]})
    assert drafts.build(drafts.from_experiment(wanted)) == (wanted, ())
    assert read_back(command_line(wanted)) == wanted


def test_fixed_gates_are_asked_for_only_where_gates_are_fixed():
    draft = drafts.from_preset("demo") | {"alpha": 0.5, "beta": 0.25}
    experiment, issues = drafts.build(draft)
    assert not issues and (experiment.alpha, experiment.beta) == (None, None)
    experiment, issues = drafts.build(draft | {"gates": "fixed"})
    assert not issues and (experiment.alpha, experiment.beta) == (0.5, 0.25)


def test_all_problems_come_with_their_fields():
    _, issues = drafts.build(drafts.from_preset("demo") | {"shots": "0", "methods": [], "sources": None, "tasks": []})
    assert {issue.field for issue in issues} == {"shots", "methods", "sources", "tasks"}


@pytest.mark.parametrize(("name", "text", "says"), [
    ("attention", "&a [*a]", "It must hold no anchors and no aliases."), ("attention", "!!bool x", "hold no tags."),
    ("attention", "[" * 400, "It must nest lists and mappings at most 10 deep."),
    ("variants", "a: method=pt steps=1 steps=2", "sets 'steps' twice"),
    ("variants", "a: method=pt steps=0x10", "Got '0x10' instead. Write 16, in decimal digits."),
    ("variants", "pt: method=pt prompt_length=yes", "Got 'yes' instead."),
    ("variants", "a: prompt_length=3", "The variant 'a' must name its method"),
    ("shots", "٣", "Got '٣' instead. Write 3, in decimal digits."),
    ("seeds", "0-99999," * 250, "must be integers >= 0"),
])
def test_what_is_typed_into_the_form_goes_through_the_same_door(name, text, says):
    _, [issue] = drafts.build(drafts.from_preset("demo") | {name: text, "variants": ""} | {name: text})
    assert issue.field == name and says in issue.message


def test_changed_fields_are_named():
    draft = drafts.from_preset("demo") | {"sources": 9, "shots": "4"}
    assert drafts.changed(draft, "demo") == ["Source prompts (S)", "Shots"]


def test_every_setting_is_in_one_group_of_the_form():
    groups = [*drafts.BASIC, *drafts.PROMPTS, *drafts.BUDGET, *drafts.ADVANCED]
    assert sorted(groups) == sorted(drafts.FIELDS)


@pytest.mark.parametrize(("name", "kind"), [
    ("sources", drafts.Kind(number=int)),
    ("steps", drafts.Kind(number=int, optional=True)),
    ("init_seed", drafts.Kind(number=int, optional=True)),
    ("epochs", drafts.Kind(number=float)),
    ("scoring", drafts.Kind(choices=("sum", "mean", "generate"))),
    ("data_dir", drafts.Kind(optional=True)),
])
def test_a_field_is_asked_for_as_the_model_says(name, kind):
    assert drafts.kind(name) == kind


def test_a_field_knows_the_rows_that_have_a_value_of_their_own():
    draft = drafts.from_preset("glue") | {"methods": ["pt", "spp"]}
    assert drafts.own_values(draft, "lr_private") == {"pt": 0.05} and drafts.own_values(draft, "steps") == {}
    assert drafts.own_values(draft | {"methods": ["spp"]}, "lr_private") == {}
    for wrong in ("pt: '", "3", "pt: 1"):  # its problem stands beside the field of the rows
        assert drafts.own_values(draft | {"variants": wrong}, "lr_private") == {}


def test_what_holds_for_all_rows_leaves_their_own_settings():
    lines = "pt: method=pt steps=3 clip=2\nmst: method=mst steps=4\nx: method=pt steps=5"
    assert rows.for_all(lines, "steps") == "pt: method=pt clip=2\nx: method=pt"
    assert rows.for_all("pt: method=pt steps=3", "steps") == ""
    for untouched in ("pt: method=pt steps=3", "pt: '", ""):
        assert rows.for_all(untouched, "clip") == untouched


def test_a_line_of_a_method_that_is_not_chosen_rests():
    draft = drafts.from_preset("demo") | {"methods": ["spp"]}
    experiment, issues = drafts.build(draft)
    assert not issues and list(experiment.variants) == ["spp"]
    assert rows.resting(draft["methods"], draft["variants"]) == ["pt", "mst", "scp"]


def test_a_command_line_says_what_was_made_to_hold_for_all_methods():
    wanted = build_experiment({"steps": 7}, preset="demo")
    assert command_line(wanted).endswith("run --preset demo --steps 7")
    assert read_back(command_line(wanted)) == wanted


def test_a_method_own_value_is_shown_short_and_as_it_is():
    own = parse_value("{pt: {steps: [[9, 9, 9], [9, 9, 9]]}, mst: {steps: }, scp: {steps: '*x*'}}")
    shown = summary.own_values({method: one["steps"] for method, one in own.items()})
    assert shown.startswith("PT: …, MST: empty and ComPT (SCP): \\*x\\*")
    assert len(summary.own_values({"pt": "x" * 2000})) < 200
