"""What is said of the methods follows from what is kept: the search's table, the presets, the bundled grids."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from compt_core.config import RunConfig, build_experiment
from compt_core.methods import METHODS
from compt_core.runs import bundle
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
