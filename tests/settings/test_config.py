"""Settings: every field documented and settable, every slip one sentence, YAML there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from compt_core.errors import ConfigError
from compt_core.settings.config import (
    MAX_RUNS,
    Experiment,
    RunConfig,
    Settings,
    allowed_values,
    build_experiment,
    parse_value,
    read_yaml,
    to_yaml,
)
from compt_core.settings.plain import read
from compt_core.settings.presets import PRESETS, TITLES
from compt_core.settings.variants import as_line, of_raw

TASKS = ("demo-mood", "demo-reword", "demo-follows")
MATRIX = [[0.25, 0.75], [1, 0], [0, 1]]

# Each field as it is typed behind --set, and what becomes of it: a value that is not the default.
TYPED: dict[str, tuple[str, Any]] = {
    "tasks": ("demo-echo,demo-mood", ("demo-echo", "demo-mood")), "backbone": ("some/model", "some/model"),
    "data_dir": ("rows", "rows"), "sources": ("2", 2), "prompt_length": ("7", 7), "scp_length": ("each", "each"),
    "normalizer": ("entmax15", "entmax15"), "attention": ("uniform", "uniform"), "gates": ("off", "off"),
    "alpha": ("0.5", 0.5), "beta": ("0", 0.0), "form": ("gated_sum", "gated_sum"), "encoder": ("none", "none"),
    "encoder_hidden": ("12", 12), "init_range": ("0.2", 0.2), "position": ("after_text", "after_text"),
    "prefix": ("native", "native"), "units": ("table", "table"),
    "max_tokens": ("64", 64), "shots_per": ("class", "class"), "steps": ("11", 11), "epochs": ("2.5", 2.5),
    "batch": ("13", 13), "lr_source": ("1e-2", 0.01), "lr_private": (".04", 0.04), "lr_encoder": ("0.005", 0.005),
    "lr_attention": ("1", 1.0), "lr_gate": ("0.2", 0.2), "lr_rule": ("author", "author"), "warmup": ("0", 0.0),
    "weight_decay_prompt": ("0.3", 0.3), "weight_decay_weights": ("0.4", 0.4), "clip": ("2", 2.0),
    "dropout": ("0.1", 0.1), "select": ("best", "best"), "scoring": ("mean", "mean"),
    "similarity": ("expectation", "expectation"), "eval_rows": ("17", 17), "watch_rows": ("0", 0),
    "data_seed": ("3", 3), "phases": ("demo-mood+demo-reword,demo-follows", (("demo-mood", "demo-reword"), (
        "demo-follows",))), "freeze": ("attention,gates", ("attention", "gates")), "freeze_after": ("used", "used"),
    "init": ("source=a:composed@b,private=c", ("source=a:composed@b", "private=c")), "after": ("a,b/c", ("a", "b/c")),
    "init_seed": ("4", 4), "shuffle_labels": ("demo-reword", ("demo-reword",)),
    "method": ("scp", ("scp",)), "shots": ("8,4", (8, 4)), "seed": ("0-2", (0, 1, 2)),
}
PLURAL = {"method": "methods", "seed": "seeds"}


def build(**settings: Any) -> Experiment:
    return build_experiment({"tasks": TASKS, **settings})


def problems(**settings: Any) -> dict[str, str]:
    """field -> message of what is wrong with settings that are known to be wrong."""
    with pytest.raises(ConfigError) as caught:
        build(**settings)
    assert len({issue.field for issue in caught.value.issues}) == len(caught.value.issues)  # one sentence per field
    assert str(caught.value) == " ".join(issue.message for issue in caught.value.issues)
    return {issue.field: issue.message for issue in caught.value.issues}


# --- fields


def test_a_typed_value_stands_here_for_every_field() -> None:
    assert set(TYPED) == set(RunConfig.model_fields) - {"variant"}  # the name of a row is its own


@pytest.mark.parametrize("name", TYPED)
def test_every_field_is_settable_by_text_and_reaches_the_run(name: str) -> None:
    text, value = TYPED[name]
    extra = {"gates": "fixed", "alpha": 1, "beta": 1} if name in ("alpha", "beta") else {}
    experiment = build_experiment({"tasks": TASKS, **extra, name: parse_value(text)})
    field = PLURAL.get(name, name)
    assert getattr(experiment, field) == value
    assert value != getattr(Experiment(tasks=("?",)), field)
    for run in experiment.runs():
        reached = getattr(run, name)
        assert reached in value if field in ("methods", "shots", "seeds") else reached == value


def test_trackers_are_named_by_text_and_are_no_setting_of_a_run() -> None:
    experiment = build_experiment({"tasks": TASKS, "track": parse_value("mlflow,wandb")})
    assert experiment.track == ("mlflow", "wandb") and not hasattr(experiment.runs()[0], "track")


@pytest.mark.parametrize("name", sorted(set(RunConfig.model_fields) | set(Experiment.model_fields)))
def test_every_field_is_documented(name: str) -> None:
    field = (RunConfig.model_fields | Experiment.model_fields)[name]
    assert field.description
    assert field.description.endswith(".")
    assert allowed_values(name)
    number = "int" in str(field.annotation) or "float" in str(field.annotation)
    if number and name not in ("shots", "seeds", "attention"):
        assert "[" in allowed_values(name) or "(" in allowed_values(name), f"{name} has no bounds"


def test_defaults_are_valid_and_within_their_own_words() -> None:
    assert build_experiment({"tasks": TASKS}) == Experiment(tasks=TASKS)
    assert allowed_values("shots") == "an integer in [1, 1024]"
    assert allowed_values("dropout") == "a number in [0, 1)"
    assert allowed_values("steps") == "an integer in [1, 1000000], or empty"
    assert allowed_values("form") == "one of 'mean', 'gated_sum', 'sum'"


# --- the grid


def test_the_grid_is_every_combination_in_order() -> None:
    runs = build(methods="mst,pt", shots="16,4", seeds="0-2", method_settings={"pt": {"lr_private": 0.3}}).runs()
    assert [(r.method, r.shots, r.seed) for r in runs] == [
        (m, s, i) for m in ("mst", "pt") for s in (16, 4) for i in (0, 1, 2)]
    assert {(r.method, r.lr_private) for r in runs} == {("mst", None), ("pt", 0.3)}


def test_what_is_given_goes_before_what_a_preset_has_for_single_methods() -> None:
    assert build_experiment({}, preset="glue").variants["pt"] == {"method": "pt", "lr_private": 0.05}
    given = build_experiment({"lr_private": 0.2, "methods": ["pt", "spp"]}, preset="glue")
    assert all(own.keys() == {"method"} for own in given.variants.values())
    assert {run.lr_private for run in given.runs()} == {0.2}
    both = build_experiment({"lr_private": 0.2, "method_settings": {"pt": {"lr_private": 0.3}}}, preset="glue")
    assert [run.lr_private for run in both.runs()] == [0.3, 0.2, 0.2]


@pytest.mark.parametrize(("typed", "seeds"), [
    ("0-9", tuple(range(10))), ("3", (3,)), (3, (3,)), ("1, 2,5-6", (1, 2, 5, 6)), ([7, 8], (7, 8)), ("4,", (4,)),
])
def test_lists_are_read_as_people_type_them(typed: Any, seeds: tuple[int, ...]) -> None:
    assert build(seeds=typed).seeds == seeds


def test_singular_names_of_a_run_are_understood() -> None:
    assert build(seed=3, method="pt").seeds == (3,)
    assert build(seed="1,2").seeds == (1, 2)


@pytest.mark.parametrize(("one", "both"), [("method", "methods"), ("seed", "seeds")])
def test_two_names_of_one_setting_are_refused(one: str, both: str) -> None:
    value = TYPED[one][0]
    assert f"must name '{both}' once. Got '{one}' as well" in problems(**{both: value, one: value})[both]


@pytest.mark.parametrize("raw", [{}, {"steps": 5}, {"methods": "pt"}, {"method_settings": {"pt": {"steps": 5}}}])
def test_a_default_that_is_no_value_is_a_problem_as_any_other(raw: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        build_experiment(raw)
    assert [str(issue.message) for issue in caught.value.issues] == [
        "The 'tasks' setting of an experiment must be one or more task names. Got nothing instead."]
    with pytest.raises(ValidationError):
        Experiment()


def test_all_other_defaults_are_values_themselves() -> None:
    for model, needs in ((Experiment, {"tasks": TASKS}), (RunConfig, {"tasks": TASKS})):
        defaults = {name: field.get_default() for name, field in model.model_fields.items()} | needs
        assert model.model_validate(defaults) == model.model_validate(needs)


# --- bad input, one sentence each


@pytest.mark.parametrize(("settings", "field", "says"), [
    ({"shots": 0}, "shots", "The 'shots' setting of an experiment must be an integer in [1, 1024]. Got 0 instead."),
    ({"shots": []}, "shots", "must be an integer in [1, 1024]. Got nothing instead."),
    ({"shots": [8, "x"]}, "shots", "Got 'x' instead."),
    ({"shots": 2.5}, "shots", "Got 2.5 instead."),
    ({"sources": 0, "methods": "spp"}, "sources", "must be an integer in [1, 64]. Got 0 instead."),
    ({"methods": "pt,spq"}, "methods", "Got 'spq' instead. Did you mean 'spp'?"),
    ({"normalizer": "sofmax"}, "normalizer", "Got 'sofmax' instead. Did you mean 'softmax'?"),
    ({"encoder": None}, "encoder", "must be one of 'residual', 'mlp', 'none'. Got nothing instead."),
    ({"tasks": []}, "tasks", "must be one or more task names. Got nothing instead."),
    ({"tasks": ["a", ""]}, "tasks", "must be one or more task names. Got '' instead."),
    ({"tasks": "a,\udcff"}, "tasks", r"must be one or more task names. Got '\udcff' instead."),
    ({"methods": "0-99999"}, "methods", "Got '0-99999' instead."),
    ({"tasks": ""}, "tasks", "must be one or more task names. Got '' instead."),
    ({"tasks": "demo-mood,demo-mood"}, "tasks", "must not repeat a value. Got 'demo-mood' twice."),
    ({"methods": "pt,pt"}, "methods", "must not repeat a value. Got 'pt' twice."),
    ({"seeds": "1,0-2"}, "seeds", "must not repeat a value. Got 1 twice."),
    ({"seeds": "0-99999"}, "seeds", f"at most {MAX_RUNS} runs. Got 300000;"),
    ({"seeds": "0-99999999999"}, "seeds", "Got '0-99999999999' instead."),
    ({"seeds": -1}, "seeds", "must be integers >= 0, as in 0,1,2 or 0-9. Got -1 instead."),
    ({"sourcs": 3}, "sourcs", "There is no setting 'sourcs'. Did you mean 'sources'?"),
    ({"Batch": 3}, "Batch", "Did you mean 'batch'?"),
    ({"zzz": 3}, "zzz", "There is no setting 'zzz'. 'python -m compt_core run --set help' lists them all."),
    ({"gates": "fixed", "alpha": 0, "beta": 0}, "alpha", "'alpha' and 'beta' must not both be 0"),
    ({"gates": "fixed", "alpha": 1}, "alpha", "gates=fixed needs both 'alpha' and 'beta'"),
    ({"alpha": 1}, "gates", "only with gates=fixed. Got gates='learned';"),
    ({"attention": MATRIX[:2], "sources": 2}, "attention", "(3 x 2). Got 2 x 2 instead."),
    ({"attention": MATRIX, "sources": 3}, "attention", "(3 x 3). Got 3 x 2 instead."),
    ({"attention": [[1, 0], [1], [0, 1]], "sources": 2}, "attention", "Got rows of different lengths instead."),
    ({"attention": []}, "attention", "Got rows of different lengths instead."),
    ({"attention": [[1, 0], [-1, 0], [0, 1]], "sources": 2}, "attention", "Got a negative or infinite weight instead."),
    ({"attention": [[1, 0], [0, 0], [0, 1]], "sources": 2}, "attention",
     "Got only zeros in row 2."),
    ({"attention": [[float("nan")]]}, "attention", "a matrix of finite numbers >= 0"),
    ({"attention": 3}, "attention", "must be 'learned', 'uniform' or a matrix"),
    ({"lr_source": float("inf")}, "lr_source", "must be a number in [0, 100], or empty. Got inf instead."),
    ({"batch": True}, "batch", "must be an integer in [1, 4096]. Got True instead."),
    ({"batch": "1_0"}, "batch", "Got '1_0' instead. Write 10, in decimal digits."),
    ({"batch": "0x10"}, "batch", "Got '0x10' instead. Write 16, in decimal digits."),
    ({"batch": "٣"}, "batch", "Got '٣' instead. Write 3, in decimal digits."),
    ({"batch": "²"}, "batch", "Got '²' instead."),
    ({"batch": 8.0}, "batch", "Got 8.0 instead. Write 8, without"),
    ({"batch": "1:30"}, "batch", "Got '1:30' instead."),
    ({"batch": 10**90}, "batch", "must be an integer in [1, 4096]. Got 1000"),
    ({"clip": "1_0"}, "clip", "Got '1_0' instead. Write 10, in decimal digits."),
    ({"clip": "infinity"}, "clip", "Got 'infinity' instead."),
    ({"clip": "1e-999"}, "clip", "Got '1e-999' instead."),
    ({"shots": "٣"}, "shots", "Got '٣' instead. Write 3, in decimal digits."),
    ({"shots": ["8"]}, "shots", "Got '8' instead."),
    ({"shots": 8.0}, "shots", "Got 8.0 instead. Write 8, without"),
    ({"seeds": "1-²"}, "seeds", "Got '1-²' instead."),
    ({"seeds": "0-99999," * 99}, "seeds", "Got '0-99999,0-99999,"),
    ({"attention": [["1", 0]]}, "attention", "a matrix of finite numbers >= 0"),
    ({"steps": parse_value("!!bool x")}, "steps", "or empty. Got '!!bool x' instead. It must hold no tags."),
    ({"clip": parse_value("&a [*a]")}, "clip", "Got '&a [*a]' instead. It must hold no anchors and no aliases."),
    ({"tasks": parse_value("&a [x]")}, "tasks", "Got '&a [x]' instead. It must hold no anchors and no aliases."),
    ({"backbone": parse_value("!!str x")}, "backbone", "Got '!!str x' instead. It must hold no tags."),
    ({"method_settings": parse_value("{pt: {steps: 1, steps: 2}}")}, "method_settings",
     "Got '{pt: {steps: 1, steps: 2}}' instead. It must name each setting once."),
    ({"seeds": [0, False]}, "seeds", "Got [0, False] instead."),
    ({"backbone": ""}, "backbone", "'demo', 'english', a folder with a T5 checkpoint, or a hub id. Got '' instead."),
    ({"data_dir": ""}, "data_dir", "must be a folder, or left out. Got '' instead."),
    ({"select": "best", "shots": [2, 8]}, "select", "needs at least 4. Got 2 shots instead; use select=last."),
    ({"preset": "dmeo"}, "preset", "Got 'dmeo' instead. Did you mean 'demo'?"),
    ({"preset": ["demo"]}, "preset", "Got ['demo'] instead."),
    ({"preset": ""}, "preset", "The preset must be one of 'demo', 'demo-glue', "),
    ({"preset": None}, "preset", "Got nothing instead."),
    ({"similarity": "expectation", "scoring": "generate"}, "similarity", "Got scoring=generate"),
    ({"gates": "fixed", "alpha": 1, "beta": 1, "form": "sum"}, "form", "a form of SPP that has gates. Got form=sum"),
    ({"method_settings": {"ptt": {}}}, "method_settings", "There is no method 'ptt'"),
    ({"method_settings": 3}, "method_settings", "as in {pt: {lr_private: 0.3}}. Got 3 instead."),
    ({"method_settings": {"pt": {"lr_privat": 1}}}, "variants",
     "There is no setting 'lr_privat' for a single row such as 'pt'. Did you mean 'lr_private'?"),
    ({"method_settings": {"pt": {"lr_private": -1}}}, "variants",
     "For 'pt', the 'lr_private' setting of an experiment must be a number in [0, 100], or empty. Got -1"),
    ({"method_settings": {"pt": {"shots": 3}}}, "variants", "The 'shots' setting must be the same for all rows"),
    ({"method_settings": {"pt": {"alpha": 1}}}, "variants", "For 'pt', the settings 'alpha' and 'beta'"),
    ({"variants": ["a: prompt_length=3"]}, "variants", "The variant 'a' must name its method, as in 'a: method=pt'."),
    ({"variants": ["a: method=pt", "a: method=mst"]}, "variants", "Got the variant 'a' twice"),
    ({"methods": "pt", "variants": ["pt: method=pt steps=3"]}, "variants", "Got 'pt' twice; give one of them another"),
    ({"variants": ["mst: method=pt"]}, "variants", "The name 'mst' belongs to a method"),
    ({"variants": ["a: method=ptt"]}, "variants", "Got 'ptt' instead. Did you mean 'pt'?"),
    ({"variants": ["a: method=pt max_tokens=30"]}, "variants", "The 'max_tokens' setting must be the same for all"),
    ({"variants": []}, "variants", "at least one row"), ({"variants": {}}, "variants", "or leave it out"),
    ({"variants": ["a: method=pt steps=0"]}, "variants", "For 'a', the 'steps' setting of an experiment must be"),
    ({"variants": ["a: method=pt steps=1 steps=2"]}, "variants", "The variant 'a' sets 'steps' twice"),
    ({"variants": ["a: method=pt clip='1"]}, "variants", "no closing quotation"),
    ({"variants": "a method=pt"}, "variants", "must have the form 'NAME: method=pt prompt_length=10'. Got 'a"),
    ({"variants": ["majority: method=pt"]}, "variants", "Got 'majority' instead."),
    ({"variants": {"a": 3}}, "variants", "The variant 'a' must have settings"),
    ({"variants": 3}, "variants", "Got 3 instead."),
])
def test_a_slip_is_one_sentence_beside_its_field(settings: dict[str, Any], field: str, says: str) -> None:
    found = problems(**settings)
    assert list(found) == [field]
    assert says in found[field]


@pytest.mark.parametrize("name", ["tasks", "backbone", "data_dir", "eval_rows", "position", "prefix", "max_tokens",
                                  "scoring", "similarity", "data_seed", "shots_per"])
def test_what_a_comparison_needs_equal_is_no_methods_own(name: str) -> None:
    own = {"mst": {name: parse_value(TYPED[name][0])}}
    assert problems(method_settings=own) == {"variants": (
        f"The '{name}' setting must be the same for all rows, so that they can be compared. "
        "Got it for 'mst' only; set it for the whole experiment.")}


def test_what_only_some_methods_use_is_refused_only_for_those() -> None:
    fixed = {"gates": "fixed", "alpha": 1, "beta": 1}
    assert build(**fixed, form="sum", methods="pt,mst,scp").form == "sum"
    assert build(**fixed, form="gated_sum").form == "gated_sum"
    assert build(gates="off", form="sum").form == "sum"
    assert set(problems(form="sum", method_settings={"spp": fixed})) == {"form"}


@pytest.mark.parametrize(("settings", "says"), [
    ({"shots": "0-1999"}, "Got 0 instead, and 975 more like it."),
    ({"shots": "0-99999"}, "must be an integer in [1, 1024]. Got '0-99999' instead."),
    ({"tasks": [1, 2, 3]}, "must be one or more task names. Got 1 instead, and 2 more like it."),
    ({"shots": [8, "x", 0]}, "Got 'x' instead, and 1 more like it."),
    ({"methods": "spq,pt,scq"}, "Got 'spq' instead, and 1 more like it. Did you mean 'spp'?"),
])
def test_many_wrong_values_of_a_list_are_one_sentence(settings: dict[str, Any], says: str) -> None:
    [(_, sentence)] = problems(**settings).items()
    assert sentence.endswith(says)


def test_all_problems_are_reported_together() -> None:
    found = problems(shots=0, sourcs=3, batch="many", methods=["pt", "mst", "pt"], gates="fixed", alpha=0, beta=0)
    assert set(found) == {"shots", "sourcs", "batch", "methods", "alpha"}


def test_a_wrong_field_raises_no_second_problem_that_depends_on_it() -> None:
    assert set(problems(sources=0, attention=MATRIX)) == {"sources"}
    assert set(problems(tasks=[], attention=MATRIX, sources=2)) == {"tasks"}


def test_a_very_long_value_stays_readable() -> None:
    assert len(problems(form="x" * 10_000)["form"]) < 300
    assert len(problems(seeds=["9" * 5_000])["seeds"]) < 300
    assert len(problems(attention=[[0.5] * 1000] * 1000 + ["x"])["attention"]) < 300
    assert len(problems(**{"y" * 5_000: 1})["y" * 5_000]) < 300


def test_bare_yaml_words_are_words_not_truth_values() -> None:
    assert build(**read("{gates: off, lr_rule: off}")).gates == "off"
    assert build(gates=False).gates == "off"
    assert "Got 'on' instead" in problems(**read("gates: on"))["gates"]
    assert "Got 'no' instead" in problems(**read("encoder: no"))["encoder"]
    assert "Got False instead" in problems(**read("encoder: false"))["encoder"]


# --- presets


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid(preset: str) -> None:
    experiment = build_experiment({}, preset=preset)
    assert experiment.runs()
    assert build_experiment({"preset": preset}) == experiment
    assert build_experiment({"prompt_length": 9}, preset=preset).prompt_length == 9


def test_presets_are_those_that_newcomers_are_told_of() -> None:
    assert list(PRESETS) == ["demo", "demo-glue", "english", "glue", "set2", "first-1", "first-2", "first-3"]
    first = [build_experiment({}, preset=f"first-{n}") for n in (1, 2, 3)]
    assert [e.methods for e in first] == [("pt",), ("mst", "pt"), ("spp",)]
    assert [len(e.tasks) for e in first] == [1, 4, 2]
    assert first[2].shots == (8,)
    assert {e.backbone for e in first} == {"demo"}


def test_presets_of_the_author() -> None:
    glue, set2 = (build_experiment({}, preset=name) for name in ("glue", "set2"))
    assert (glue.sources, glue.prompt_length, glue.shots, glue.epochs, glue.batch) == (2, 5, (32,), 15, 16)
    assert (glue.lr_source, glue.lr_private, glue.lr_attention) == (0.07, 0.01, 0.1)
    assert glue.tasks == ("cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte")
    assert (set2.sources, set2.prompt_length, set2.shots, set2.epochs, set2.batch) == (3, 5, (48,), 15, 16)
    assert (set2.lr_source, set2.lr_private, set2.lr_attention, set2.lr_gate) == (0.05, 0.02, 0.07, 0.1)


# --- YAML


def test_settings_survive_yaml(tmp_path: Path) -> None:
    experiment = build(methods="pt,scp", seeds="0-2", attention=MATRIX, sources=2, gates="off", lr_source=0.1,
                       data_dir="a b: c", method_settings={"pt": {"lr_private": 0.3, "encoder": "none"}})
    file = tmp_path / "settings.yaml"
    file.write_text(to_yaml(experiment), encoding="utf-8")
    assert build_experiment(read_yaml(file)) == experiment
    assert set(read_yaml(file)) == {"tasks", "seeds", "attention", "sources", "gates", "lr_source",
                                    "data_dir", "variants"}  # defaults are left out


_STRATEGIES = {
    "sources": st.integers(1, 64), "batch": st.integers(1, 4096), "gates": st.sampled_from(["learned", "off"]),
    "lr_rule": st.sampled_from(["off", "author"]), "epochs": st.floats(0.01, 10_000), "clip": st.floats(1e-6, 1e6),
    "lr_source": st.none() | st.floats(0, 100), "data_seed": st.none() | st.integers(0, 2**32 - 1),
    "backbone": st.text(min_size=1), "data_dir": st.none() | st.text(min_size=1),
    "seeds": st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True).map(tuple),
    "encoder": st.sampled_from(["residual", "mlp", "none"]),
}


@given(st.fixed_dictionaries({}, optional=_STRATEGIES))
def test_any_settings_survive_yaml(settings: dict[str, Any]) -> None:
    experiment = Experiment(tasks=TASKS, **settings)
    assert build_experiment(read(to_yaml(experiment))) == experiment


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_yaml(preset: str) -> None:
    experiment = build_experiment({}, preset=preset)
    assert build_experiment(read(to_yaml(experiment))) == experiment


@pytest.mark.parametrize("name", [
    "\x85N\u01bb", "a\u2028b", "é/ü", "a\nb", "\ufeffx", "\U0001f600", "1e3", "007", "off"])
def test_any_name_of_a_folder_survives_yaml(name: str) -> None:
    experiment = build(backbone=name, data_dir=name)
    assert build_experiment(read(to_yaml(experiment))) == experiment


def test_many_seeds_are_one_line_of_the_file() -> None:
    experiment = build(methods="pt", seeds="0-499", shots="8,16")
    assert "seeds: 0-499\n" in to_yaml(experiment) and build_experiment(read(to_yaml(experiment))) == experiment


def test_a_run_has_the_shared_settings_and_three_of_its_own() -> None:
    assert set(RunConfig.model_fields) - set(Settings.model_fields) == {"variant", "method", "shots", "seed"}


# --- rows of a comparison


def test_variants_are_rows_with_settings_of_their_own() -> None:
    lines = ["short: method=pt prompt_length=3", "long: method=pt prompt_length=10", "mst: method=mst"]
    experiment = build_experiment({"tasks": TASKS, "seeds": "0-1", "variants": lines})
    assert [(run.variant, run.method, run.prompt_length) for run in experiment.runs()] == [
        (*row,) for row in (("short", "pt", 3), ("long", "pt", 10), ("mst", "mst", 5)) for _ in range(2)]
    assert experiment.methods == ("pt", "mst")
    same = build_experiment({"tasks": TASKS, "seeds": "0-1", "methods": "mst", "variants": "\n".join(lines[:2])})
    assert same.variants == experiment.variants
    assert build_experiment(read(to_yaml(experiment))) == experiment
    assert [as_line(name, own) for name, own in experiment.variants.items()] == lines


def test_a_variant_over_a_preset_keeps_what_the_preset_has_for_its_method() -> None:
    demo = build_experiment({"variants": ["a: method=pt prompt_length=7"]}, preset="demo")
    assert demo.variants == {"a": build_experiment({}, preset="demo").variants["pt"] | {"prompt_length": 7}}


@given(st.dictionaries(st.sampled_from(["attention", "clip", "normalizer", "data_seed"]), st.sampled_from(
    ["uniform", 0.5, 1e-6, 7, None, [[0.5, 0.5], [1.0, 0.0]], "a 'quoted' word", "#x"])))
def test_a_line_reads_back_as_the_variant_it_was_written_from(own: dict[str, Any]) -> None:
    line = as_line("row 1", {"method": "spp", **own})
    assert of_raw({"variants": [line]}, {}) == {"row 1": {"method": "spp", **own}}


def test_methods_of_older_files_and_stores_are_read_as_variants() -> None:
    old = {"tasks": ["x"], "methods": ["pt", "scp"],
           "method_settings": {"pt": {"lr_private": 0.3}, "mst": {"steps": 4}}}
    wanted = {"pt": {"method": "pt", "lr_private": 0.3}, "scp": {"method": "scp"}}
    assert Experiment.model_validate(old).variants == build_experiment(old).variants == wanted


def test_every_preset_has_a_title_of_its_own() -> None:
    assert TITLES.keys() == PRESETS.keys() and len(set(TITLES.values())) == len(TITLES)
