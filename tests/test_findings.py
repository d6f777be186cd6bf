"""What is said of the methods follows from what is kept: the search's table, the presets, the bundled grids."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from compt_core.analysis.relatedness import mantel, similarity
from compt_core.exchange import bundle
from compt_core.language.suites import relatedness
from compt_core.methods.table import METHODS
from compt_core.settings.config import RunConfig, build_experiment
from compt_core.tasks.table import TASKS

ROOT = Path(__file__).resolve().parents[1]
GRID = {"methods": "pt,mst,spp,scp", "shots": "4,8,16,32,64", "seeds": "0-9"}
SUITES = ("demo", "demo-glue")


def _script(name: str) -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return __import__(name)
    finally:
        sys.path.pop(0)


def bundled(suite: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((bundle.FOLDER / f"{suite}.json").read_text(encoding="utf-8"))
    return read


def test_the_presets_have_what_the_search_chose_for_every_method() -> None:
    tuning = _script("tuning")
    written = json.loads((ROOT / "benchmarks" / "tuning.json").read_text(encoding="utf-8"))
    assert set(written) == {"pt", "mst", "spp", "scp"}
    for method, name in tuning.final(written).items():
        chosen = written[method][name]["settings"]
        searched = {*tuning.SPACES[method], *tuning.LATER_SHARED, "batch", "tasks", "backbone"}
        if METHODS[method].composed:
            searched |= tuning.LATER_COMPOSED.keys()
        run, = build_experiment({"methods": [method]}, preset="demo").runs()
        wanted, = build_experiment({**chosen, "methods": [method]}).runs()
        for name in searched:
            assert getattr(run, name) == getattr(wanted, name), (method, name)


def test_the_english_preset_has_what_its_search_chose_for_every_method() -> None:
    tuning = _script("english_tuning")
    written = json.loads((ROOT / "benchmarks" / "english_tuning.json").read_text(encoding="utf-8"))
    assert {method: len(trials) for method, trials in written.items()} == dict.fromkeys(written, 4)
    assert set(written) == set(METHODS)
    for method, trials in written.items():
        chosen = {**tuning.START, **tuning.chosen(method, trials), "methods": [method]}
        run, = build_experiment({"methods": [method]}, preset="english").runs()
        wanted, = build_experiment(chosen).runs()
        for name in {*tuning.START, *tuning.trials(method)[0], *tuning.trials(method)[3]} - {"eval_rows", "watch_rows"}:
            if name not in METHODS[method].ignores:
                assert getattr(run, name) == getattr(wanted, name), (method, name)


def test_the_search_was_as_long_for_every_method_and_never_saw_a_seed_of_the_comparison() -> None:
    written = json.loads((ROOT / "benchmarks" / "tuning.json").read_text(encoding="utf-8"))
    sizes = {method: sorted(len(by_seed) for trial in trials.values() for by_seed in trial["scores"].values())
             for method, trials in written.items()}
    assert len(set(map(tuple, sizes.values()))) == 1
    seeds = {int(seed) for trials in written.values() for trial in trials.values()
             for by_seed in trial["scores"].values() for seed in by_seed}
    assert min(seeds) >= 1000 and max(seeds) < 1020


@pytest.mark.parametrize("suite", SUITES)
def test_a_bundled_grid_is_what_its_command_trains(suite: str) -> None:
    read = bundled(suite)
    wanted = build_experiment(GRID, preset=suite).runs()
    first = read["runs"][0]["config"]
    assert [RunConfig.model_validate(first | run["config"]) for run in read["runs"]] == wanted
    rows = dict.fromkeys(wanted[0].tasks, 300)
    assert all((read["common"] | run["result"])["eval_rows"] == rows for run in read["runs"])
    assert {TASKS[task].suite for task in wanted[0].tasks} == {suite}


def test_the_bundled_english_grid_is_what_its_command_trains() -> None:
    read = bundled("english")
    wanted = build_experiment({"methods": "pt,mst,mpt,spp,scp", "shots": "16,64", "seeds": "0-4"},
                              preset="english").runs()
    first = read["runs"][0]["config"]
    assert [RunConfig.model_validate(first | run["config"]) for run in read["runs"]] == wanted
    rows = {task: 277 if task == "rte" else 300 for task in wanted[0].tasks}
    assert all((read["common"] | run["result"])["eval_rows"] == rows for run in read["runs"])
    assert read["versions"]["backbone"]["id"] == "english"
    texts = (bundle.FOLDER / "english.json").read_text(encoding="utf-8")
    assert "/tmp" not in texts and "home" not in texts  # nothing of the machine that trained it
    sizes = [(bundle.FOLDER / f"english.{ending}").stat().st_size for ending in ("json", "safetensors.gz")]
    assert sum(sizes) < 6_000_000


@pytest.mark.parametrize("shots", [4, 8, 16, 32, 64])
def test_attention_and_the_true_families_stand_there_to_the_digit(shots: int) -> None:
    """r, its range over seeds and Mantel's p, computed here from the bundle, in FINDINGS.md's table of both forms."""
    runs, cells = _script("comparison").read(bundle.FOLDER / "demo.json"), []
    for method in ("spp", "scp"):
        test = mantel([similarity(np.array(runs[method, shots, seed]["attention"])) for seed in range(10)],
                      np.array(relatedness()))
        digits = 4 if test.p < 0.001 else 3 if test.p < 0.01 else 2
        cells.append([_short(test.r), f"{_short(min(test.each))} to {_short(max(test.each))}", _short(test.p, digits)])
    text = (ROOT / "docs" / "FINDINGS.md").read_text(encoding="utf-8").partition("## Does attention follow")[2]
    line, = re.findall(rf"^\| {shots} \| (.+) \|$", text, re.M)
    columns = line.split(" | ")
    assert [columns[0:3], columns[4:7]] == cells


def _short(number: float, digits: int = 2) -> str:
    return f"{number:.{digits}f}".replace("0.", ".", 1).replace("-", "−")


def test_the_growth_of_ordinary_prompts_is_that_of_the_bundled_runs() -> None:
    grown = [rms["final"] / rms["initial"] for suite in SUITES for run in bundled(suite)["runs"]
             for rms in [run["result"]["prompt_rms"]]]
    assert len(grown) == 400
    said = f"the 400 bundled runs grow {min(grown):.0f} to {max(grown):.0f} times"
    assert said in (ROOT / "docs" / "DIAGNOSIS.md").read_text(encoding="utf-8")


def test_the_words_quote_the_bundled_numbers() -> None:
    """The primary test, computed here from the bundle, stands in FINDINGS.md and in the README to the digit."""
    comparison = _script("comparison")
    runs = comparison.read(bundle.FOLDER / "demo.json")
    own = comparison.over(runs, "spp", (8, 16))
    quoted = []
    for name in ("pt", "mst"):
        gap = comparison.paired(own, comparison.over(runs, name, (8, 16)))
        quoted.append(f"{gap.mean:+.1f} ± {gap.half:.1f}")
    for file in ("docs/FINDINGS.md", "README.md"):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert [figure for figure in quoted if figure not in text] == [], file
