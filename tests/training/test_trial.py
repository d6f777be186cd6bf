"""One step of a fleet is timed: its work is that of its runs, it is thrown away, and what it cannot do it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compt_core.errors import ComptError
from compt_core.planning.check import check
from compt_core.planning.estimate import estimate, place
from compt_core.settings.config import build_experiment
from compt_core.tasks.table import CATALOGUE
from compt_core.training import trial


@pytest.fixture
def checked(tiny_t5: Path, glue_dir: Path) -> Any:
    return check(build_experiment({
        "tasks": "sst2,rte", "backbone": str(tiny_t5), "data_dir": str(glue_dir), "methods": "pt,spp", "shots": "4",
        "seeds": "0,1", "steps": 50, "encoder_hidden": 4, "eval_rows": 6}))


def test_a_step_gives_an_estimate_of_the_whole(checked: Any, backbone: Any) -> None:
    import torch

    told = list[str]()
    pace = trial.measure(checked.largest_fleet, checked.tasks, tell=told.append, backbone=backbone)
    assert pace is not None and pace.measured is not None and pace.train_seconds > 0 and pace.eval_seconds > 0
    assert pace.place == place(str(backbone.device), torch.get_num_threads(), backbone.digest)
    assert told[0].startswith("loading") and len(told) == 3
    whole = checked.work
    assert pace.work.steps == 1
    assert pace.work.tokens == pytest.approx(whole.tokens / whole.steps, rel=0.2)
    assert pace.work.numbers == whole.numbers / whole.steps
    assert 0 < pace.work.scored < whole.scored
    found = estimate(whole, [pace])
    assert found is not None and found.high > found.low > 0


def test_what_was_measured_leaves_no_scores_behind(checked: Any, backbone: Any) -> None:
    class Told(dict):  # type: ignore[type-arg]
        """A cache that must not be written to."""

        def put(self, key: object, scores: object) -> None:
            raise AssertionError("a measurement keeps no scores")

    assert trial.measure(checked.largest_fleet[:1], checked.tasks, backbone=replace(backbone, cache=Told())) is not None


@pytest.mark.parametrize(("times", "quickest", "count"), [
    ((5.0, 0.5, 0.4, 3.0, 9.0), 0.4, 4), ((40.0,), 40.0, 1), ((0.1,) * 20, 0.1, trial.MOST)])
def test_the_quickest_time_counts(times: tuple[float, ...], quickest: float, count: int) -> None:
    left = list(times)
    assert trial._quickest(lambda: left.pop(0), lambda: False) == quickest
    assert len(times) - len(left) == count


def test_a_measurement_can_be_stopped(checked: Any, backbone: Any) -> None:
    asked = [False, False, True]
    assert trial.measure(checked.largest_fleet, checked.tasks, stopped=lambda: asked.pop(0) if asked else True,
                         backbone=backbone) is None


def test_several_gpus_and_a_first_step_that_fails_are_a_sentence(
        checked: Any, backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = [run.model_copy(update={"init_range": 1e38}) for run in checked.largest_fleet]
    with pytest.raises(ComptError, match=r"step|loss"):
        trial.measure(huge, CATALOGUE, backbone=backbone)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(ComptError, match="several GPUs"):
        trial.measure(checked.largest_fleet, CATALOGUE, backbone=backbone)
