"""The ablation table of a run: every source muted in turn on every task, and what else could explain the effect.

For each task, prompts are scored in the same passes: with each source muted, with the private part off, and with the
shared part off. As a control, the trained prompt is moved in a random direction as far as muting moves it: the larger a
source's weight, the farther the prompt moves without it, whatever the source holds.

K tasks · S sources · L prompt length · H hidden size · n dev rows · C labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from compt_core.errors import ConfigError, Issue
from compt_core.runs.record import RunRecord
from compt_core.scoring.predictions import predict
from compt_core.scoring.score import score_task
from compt_core.scoring.statistics import t_quantile
from compt_core.streams import stream
from compt_core.tasks.spec import Row, Task
from compt_core.whatif.apply import backbone_of, dev_rows, reckons_alike
from compt_core.whatif.change import Z, compare
from compt_core.whatif.compose import changed
from compt_core.whatif.edit import ALL, Edit
from compt_core.whatif.effects import MEASURES, PROBABILITY, SCORE, Ablation, Effects
from compt_core.whatif.trained import Trained

TRAINED, MUTED, SHIFTED, PRIVATE_OFF, SHARED_OFF = "trained", "muted", "shifted", "private off", "shared off"
Name = str  # of a prompt: one of the above; MUTED and SHIFTED are followed by the number of a source
Cell = tuple[float, float, float, float]  # change, low, high, p
_NOTHING: Cell = (0.0, math.nan, math.nan, 1.0)


@dataclass(frozen=True)
class _Task:
    """A task's rows, and their label scores under the trained prompt; a cell is what another prompt does to these.

    stored   [n, C] as the run kept them, for its answers; computed again if it was scored in another arithmetic
    trained  [n, C] computed again, for log-probabilities: bundled runs kept theirs in half precision, and the rounding
             would look like an effect
    """

    task: Task
    rows: tuple[Row, ...]
    stored: np.ndarray
    trained: np.ndarray
    how: Mapping[str, object]

    def before(self) -> dict[str, float]:
        said = self._said(self.stored)
        score = compare(self.task, self.rows, said, said).before
        found = {SCORE: math.nan if score is None else score}
        return found if self.how["generated"] else found | {PROBABILITY: float(self._right(self.trained).mean())}

    def cells(self, scores: np.ndarray) -> dict[str, Cell]:
        found = {SCORE: self._score(scores)}
        if not self.how["generated"]:
            found[PROBABILITY] = _mean(self._right(scores) - self._right(self.trained))
        return found

    def _score(self, scores: np.ndarray) -> Cell:
        """Change and interval by `compare`; p is McNemar's exact p for accuracy, else from the interval's width."""
        from scipy import stats

        found = compare(self.task, self.rows, self._said(self.stored), self._said(scores))
        if found.metric == "accuracy":
            changed_rows = len(found.gained) + len(found.lost)
            p = float(stats.binomtest(len(found.lost), changed_rows).pvalue) if changed_rows else 1.0
        elif found.low is None or found.high is None or found.high == found.low:
            p = math.nan if found.difference else 1.0
        else:
            p = float(2 * stats.norm.sf(abs(found.difference) * 2 * Z / (found.high - found.low)))
        low, high = (math.nan if end is None else end for end in (found.low, found.high))
        return found.difference, low, high, p

    def _said(self, scores: np.ndarray) -> np.ndarray:
        return predict(self.task, scores, **self.how)  # type: ignore[arg-type]

    def _right(self, scores: np.ndarray) -> np.ndarray:
        """Log-probability [n] of each row's right label among the label words; for a number, of the nearest label."""
        values = np.array([row.value for row in self.rows])
        labels = np.array([float(label) for label in self.task.labels]) if self.task.numeric \
            else np.arange(scores.shape[1])
        right = np.abs(values[:, None] - labels[None]).argmin(1)
        wide = scores.astype(np.float64)
        top = wide.max(1, keepdims=True)
        total = top[:, 0] + np.log(np.exp(wide - top).sum(1))
        return np.asarray(wide[np.arange(len(wide)), right] - total)


def _mean(gaps: np.ndarray) -> Cell:
    """Mean of paired differences [n], with its t-interval and the p of the paired t-test."""
    from scipy import stats

    mean, n = float(gaps.mean()), len(gaps)
    error = float(gaps.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    if not error:
        return mean, math.nan, math.nan, math.nan if mean else 1.0
    half = t_quantile(n) * error
    return mean, mean - half, mean + half, float(2 * stats.t.sf(abs(mean) / error, n - 1))


def prompts_of(trained: Trained, renormalise: bool = False, control: bool = False
               ) -> dict[str, dict[Name, np.ndarray]]:
    """Task -> name -> prompt [L, H], for all prompts that differ from the trained one. Raises ConfigError for a run
    without attention over sources."""
    if trained.weights is None or not trained.composed_of_two:
        raise ConfigError([Issue("run", f"An ablation table needs a run with attention over sources (SPP or SCP). Run "
                                        f"'{trained.run}' has none; choose another run.")])
    found: dict[str, dict[Name, np.ndarray]] = {task: {} for task in trained.tasks}
    edits = {f"{MUTED} {s}": Edit(mute={ALL: (s,)}, renormalise=renormalise) for s in range(trained.weights.shape[1])}
    edits |= {PRIVATE_OFF: Edit(alpha={ALL: 0.0})} if trained.beta.all() else {}
    edits |= {SHARED_OFF: Edit(beta={ALL: 0.0})} if trained.alpha.all() else {}
    for name, edit in edits.items():
        for task, prompt in changed(trained, edit).items():
            found[task][name] = prompt
    for k, task in enumerate(trained.tasks):
        for s in range(trained.weights.shape[1]):
            if control and f"{MUTED} {s}" in found[task]:
                found[task][f"{SHIFTED} {s}"] = shifted(trained.composed[k], found[task][f"{MUTED} {s}"],
                                                        trained.run, task, s)
    return found


def shifted(prompt: np.ndarray, target: np.ndarray, *names: object) -> np.ndarray:
    """`prompt` [L, H] moved in a random direction, each vector as far as the vector of `target` is from it."""
    noise = stream(0, "ablation", *map(str, names)).standard_normal(prompt.shape)
    far = np.linalg.norm(target - prompt, axis=1, keepdims=True)
    return (prompt + noise * far / np.linalg.norm(noise, axis=1, keepdims=True)).astype(np.float32)


def ablate(run: RunRecord, trained: Trained, scores: Mapping[str, np.ndarray], *, renormalise: bool = False,
           control: bool = False, progress: Callable[[int, int], None] = lambda done, of: None,
           going: Callable[[], bool] = lambda: True) -> Ablation | None:
    """The table of a completed run. `trained` is the run taken apart, `scores` its stored scores, task -> [n, C].

    progress(tasks done, tasks in all) is called in the caller's thread before the first task and after each one.
    going() is asked in any thread before each pass; once it says no, the result is None. Raises ConfigError for a run
    without attention, and DataError or BackboneError if data or backbone are not the run's.
    """
    prompts, backbone = prompts_of(trained, renormalise, control), backbone_of(run)
    config = run.config
    how = {"similarity": config["similarity"], "generated": config["scoring"] == "generate"}
    before, cells = dict[str, dict[str, float]](), dict[str, dict[Name, dict[str, Cell]]]()
    progress(0, len(trained.tasks))
    for number, name in enumerate(trained.tasks, 1):
        rows, encoded = dev_rows(run, name, backbone)
        task = run.tasks.needed(name)
        asked = {TRAINED: trained.composed[number - 1], **prompts[name]}
        wanted = {key: torch.from_numpy(prompt).to(backbone.device) for key, prompt in asked.items()}
        found = score_task(backbone, task, rows, encoded, wanted, prefix=run.settings.prefix, scoring=config["scoring"],
                           similarity=config["similarity"], going=lambda _: going())
        if len(found) < len(wanted):
            return None
        anew = found[TRAINED].scores
        judged = _Task(task, rows, scores[name] if reckons_alike(run, backbone) else anew, anew, how)
        before[name] = judged.before()
        cells[name] = {key: judged.cells(found[key].scores) for key in prompts[name]}
        progress(number, len(trained.tasks))
    metrics = tuple(run.tasks[name].metrics[0] for name in trained.tasks)
    return _table(trained, metrics, renormalise, control, before, cells)


def _table(trained: Trained, metrics: tuple[str, ...], renormalise: bool, control: bool,
           before: Mapping[str, Mapping[str, float]], cells: Mapping[str, Mapping[Name, Mapping[str, Cell]]]
           ) -> Ablation:
    tasks, measures = trained.tasks, [one for one in MEASURES if one in before[trained.tasks[0]]]
    assert trained.weights is not None
    sources = range(trained.weights.shape[1])

    def effects(*names: Name) -> dict[str, Effects]:
        """Effects of the prompts with these names [K, names]; a prompt equal to the trained one has no effect."""
        found = {}
        for measure in measures:
            grid = np.array([[cells[task][name][measure] if name in cells[task] else _NOTHING for name in names]
                             for task in tasks])
            found[measure] = Effects(*np.moveaxis(grid, -1, 0))
        return found

    def column(name: Name) -> dict[str, Effects]:
        return {measure: Effects(one.change[:, 0], one.low[:, 0], one.high[:, 0], one.p[:, 0])
                for measure, one in effects(name).items()}

    return Ablation(
        trained.run, tasks, metrics, renormalise, trained.weights,
        {measure: np.array([before[task][measure] for task in tasks]) for measure in measures},
        effects(*(f"{MUTED} {s}" for s in sources)), effects(*(f"{SHIFTED} {s}" for s in sources)) if control else None,
        column(PRIVATE_OFF) if trained.beta.all() else None, column(SHARED_OFF) if trained.alpha.all() else None)
