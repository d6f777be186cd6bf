"""Finds failure signatures in the records of a run, each with the number that shows it. Pure; no torch, no store.

A run is judged by what is known about it so far. What was not measured is reported as unchecked, never guessed, and
nothing is said about what cannot be known yet of a run under way. The names, thresholds and advice are in
:mod:`compt_core.analysis.signatures`.

K tasks · S sources · n recorded points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compt_core.analysis import signatures as at
from compt_core.analysis.signatures import SIGNATURES, Diagnosis, Finding, Signature
from compt_core.errors import plural
from compt_core.runs.record import RunRecord, State

Curve = tuple[np.ndarray, np.ndarray]  # (steps [n], values [n, d])
KINDS = ("loss", "dev_score", "attention")  # kinds of curves that are read
_NAMED, _LOOKS = 3, 4  # sources named in a sentence; looks at the dev rows before a fall is reported


def diagnose(config: Mapping[str, Any], curves: Mapping[str, Curve], *, steps: int | None = None,
             result: Mapping[str, Any] | None = None, error: str | None = None, cancelled: bool = False) -> Diagnosis:
    """Judge one run by its settings (RunConfig as a mapping), its curves by kind, the `steps` that it should take, its
    result once it has completed, and the message of the error that ended it, if any.

    A run without result, error or `cancelled` is under way: a finding may be gone by its end.
    """
    known, findings, unchecked = _Known(config, curves, steps, result or {}, error or ""), list[Finding](), {}
    under_way = not (result or error or cancelled)
    standing = None if result else f"{'so far' if under_way else 'as it ended'}, at step {known.step}"
    for check in _CHECKS:
        for name, found in check(known).items():
            if isinstance(found, str):
                unchecked[name] = found
            else:
                findings.append(Finding(SIGNATURES[name], *found, standing=standing or "", so_far=under_way))
    order = list(SIGNATURES)
    ranked = sorted(findings, key=lambda one: order.index(one.signature.name))
    return Diagnosis(tuple(ranked), unchecked, under_way)


def diagnose_runs(runs: Sequence[RunRecord], curves: Mapping[str, Mapping[str, Curve]]) -> dict[str, Diagnosis]:
    """Run -> its diagnosis; `curves` by kind (KINDS) and run."""
    return {run.id: diagnose(
        run.config, {kind: of[run.id] for kind, of in curves.items() if run.id in of},
        steps=run.steps, result=run.result, error=run.error_message, cancelled=run.state == State.CANCELLED)
        for run in runs}


def by_signature(found: Mapping[str, Diagnosis]) -> dict[Signature, dict[str, Finding]]:
    """Signature -> run -> finding, for the signatures that were found: problems first, then the most frequent."""
    groups: dict[Signature, dict[str, Finding]] = {}
    for run, diagnosis in found.items():
        for finding in diagnosis.findings:
            groups.setdefault(finding.signature, {})[run] = finding
    return dict(sorted(groups.items(), key=lambda item: (item[0].severity != "problem", -len(item[1]))))


@dataclass(frozen=True)
class _Known:
    """What is known about one run so far, and what several checks compute from it."""

    config: Mapping[str, Any]
    curves: Mapping[str, Curve]
    steps: int | None
    result: Mapping[str, Any]
    error: str

    def curve(self, kind: str) -> Curve:
        """A curve; without points if nothing was recorded."""
        return self.curves.get(kind, (np.zeros(0, dtype=int), np.zeros((0, 1))))

    @property
    def step(self) -> int:
        """The last optimizer step that was measured."""
        steps = self.curve("loss")[0]
        return int(steps[-1]) if len(steps) else 0

    @property
    def late(self) -> bool:
        """Whether the run has completed or is in its last fifth; earlier findings may well be gone by its end."""
        return bool(self.result) or (self.steps is not None and self.step >= (1 - at.END) * self.steps)

    def late_loss(self) -> float:
        """Median loss over the end of the measured curve; NaN if there is no point. The median, because single high
        points are kept on purpose."""
        steps, values = self.curve("loss")
        return float(np.median(values[steps > (1 - at.END) * self.step])) if len(steps) else math.nan

    def attention(self) -> np.ndarray | None:
        """The latest attention as shares within each task [K, S]; None unless it is learned over several sources."""
        steps, values = self.curve("attention")
        found = self.result.get("attention") or (values[-1] if len(steps) else None)
        return None if found is None else self.shares(np.asarray(found, dtype=float)[None])[0]

    def shares(self, values: np.ndarray) -> Any:
        """Attention [n, K * S] or [n, K, S] as shares within each task [n, K, S]; [None] if shares mean nothing."""
        each = values.reshape(len(values), len(self.config["tasks"]), -1)
        if self.config["attention"] != "learned" or each.shape[-1] < 2:
            return [None]
        sums = each.sum(-1, keepdims=True)
        return each / np.where(sums > 0, sums, 1)


# What a check says about each signature it looks for: nothing, the fields of a Finding, or why it is unchecked.
_Said = dict[str, tuple[float, float | None, str] | str]


def _not_finite(known: _Known) -> _Said:
    steps, values = known.curve("loss")
    told = re.search(r"not finite at step (\d+)", known.error)  # as training.loop words it: the point is not recorded
    wrong = steps[~np.isfinite(values).all(axis=1)]
    first = int(told[1]) if told else int(wrong[0]) if len(wrong) else None
    name = "first_loss_not_finite" if first == 1 else "loss_not_finite"
    return {} if first is None else {name: (first, None, f" of {known.steps}" if known.steps else "")}


def _not_falling(known: _Known) -> _Said:
    values = known.curve("loss")[1]
    if known.step < at.LEAST_STEPS or not known.late or not np.isfinite(values).all():
        return {}
    batch = known.result.get("fixed_batch_loss")  # the same rows before and after, so no noise from drawing rows
    # Under way: the highest of the first points, as a thinned curve may already have fallen at its second.
    before, after = (batch["initial"], batch["final"]) if batch else (float(values[:3].max()), known.late_loss())
    if not math.isfinite(after) or after <= at.KNOWN or after <= (1 - at.FALLS) * before:
        return {}
    return {"loss_not_falling": (after / before, 1 - at.FALLS, f", {before:.2f} to {after:.2f}")}


def _exploded(known: _Known) -> _Said:
    rms, word = known.result.get("prompt_rms"), known.result.get("table_deviation") or 0.0  # older results have none
    begin = max(rms["initial"], word) if rms else 0.0
    if not rms or not begin or rms["final"] < at.EXPLODED * begin:
        return {}
    times = f"{rms['final'] / word:,.0f} times the size of a word's embedding" if word else \
        f"{rms['final'] / begin:,.0f} times their first size"
    return {"prompt_exploded": (rms["final"] / begin, at.EXPLODED, f": {times}, from {rms['initial']:.3g} to "
                                                                   f"{rms['final']:,.0f}")}


def _overfits(known: _Known) -> _Said:
    """Training loss near 0 while the dev score fell or is no better than chance. Only checked if the loss is low."""
    loss = known.late_loss()
    if not known.late or not loss <= at.LEARNED:  # also true of NaN
        return {}
    said, beside = _fell(known), f"; training loss {loss:.3f}"
    if isinstance(said, tuple):
        return {"overfitting": (*said[:2], said[2] + beside)}
    found: _Said = {"overfitting": said} if said else {}
    return found | {"memorised": (known.result["mean_normalised"], at.NO_BETTER, beside)} if _by_heart(known) else found


def _by_heart(known: _Known) -> bool:
    """Whether a completed run knows its training rows, and all in all no more."""
    mean = known.result.get("mean_normalised")
    return mean is not None and mean <= at.NO_BETTER and known.late_loss() <= at.LEARNED


def _words(known: _Known) -> _Said:
    """Tasks whose training loss fell from where the label words were improbable to what the words alone give, or below
    where the rows are known by heart as well, while the dev score is no better than the majority class."""
    losses, groups = known.result.get("task_loss") or {}, {"label_words": list[str](), "rows_memorised": list[str]()}
    for task, loss in losses.items():
        beyond = loss["final"] - loss["words"]
        if loss["initial"] >= at.UNKNOWN and beyond <= at.LEARNED and (said := _no_better(known, task)):
            words = f"training loss {loss['initial']:.2f} to {loss['final']:.2f}, the label words alone give " \
                    f"{loss['words']:.2f}; {said}"
            groups["label_words" if beyond >= -at.LEARNED else "rows_memorised"].append(f"{task} ({words})")
    if _by_heart(known):  # that says the same of the whole run
        del groups["rows_memorised"]
    return {name: (len(said) / len(losses), 0.0, f": {'; '.join(said[:_NAMED])}"
                   + (f"; {len(said) - _NAMED} more" if len(said) > _NAMED else ""))
            for name, said in groups.items() if said}


def _no_better(known: _Known, task: str) -> str:
    """A task's accuracy beside that of its majority class, if chance explains the difference on so few rows; ""
    otherwise, or where one of them is not known."""
    own, most = ((known.result.get(name) or {}).get(task, {}).get("accuracy") for name in ("tasks", "majority"))
    rows = (known.result.get("eval_rows") or {}).get(task)
    if own is None or most is None or not rows:
        return ""
    allowed = min(at.INTERVAL * math.sqrt(most * (1 - most) / rows), at.ALLOWED)
    if own > most + allowed:
        return ""
    return f"accuracy {own:.2f}, majority {most:.2f} ± {allowed:.2f} on {plural(rows, 'row')}"


def _fell(known: _Known) -> tuple[float, float, str] | str | None:
    """How far the dev score fell, if it fell further than chance explains with so few rows, or why that is unknown."""
    steps, values = known.curve("dev_score")
    rows = min(known.config.get("watch_rows", 0), known.config["eval_rows"] or math.inf) * len(known.config["tasks"])
    if not rows or not len(steps):
        return "no dev scores were measured during training (watch_rows)"
    needed = max(at.FELL, at.ERRORS * 0.5 / math.sqrt(rows))
    if needed > at.TOO_FEW:
        return f"{plural(rows, 'dev row')} per look are too few to tell a fall from chance (watch_rows)"
    scores = np.nan_to_num(values, nan=0.0).mean(axis=1)  # undefined counts as 0, as in every mean of scores
    best, last = int(scores.argmax()), float(scores[-2:].mean())
    if len(steps) < _LOOKS or scores[best] - last < needed:
        return None
    way = f": {scores[best]:.2f} at step {steps[best]}, {last:.2f} in the last two looks"
    return float(scores[best] - last), needed, way


def _unreadable(known: _Known) -> _Said:
    shares = known.result.get("unreadable") or {}
    worst = max(shares, key=shares.__getitem__, default="")
    return {"unreadable_answers": (shares[worst], at.UNREAD, f", {worst}")} if shares.get(worst, 0) >= at.UNREAD else {}


def _constant(known: _Known) -> _Said:
    flags = known.result.get("constant") or {}
    part = sum(flags.values()) / len(flags) if flags else 0.0
    return {"constant_answers": (part, at.CONSTANT, f", {sum(flags.values())} of {len(flags)}")} \
        if part > at.CONSTANT else {}


def _dominated(known: _Known) -> _Said:
    config, each = known.config, known.result.get("private_norm_share")
    chosen = config["gates"] == "fixed" and 0 in (config["alpha"], config["beta"])  # a part was switched off
    if not each or chosen:
        return {}
    mean, ends = sum(each) / len(each), f", mean over tasks; {min(each):.0%} to {max(each):.0%}"
    if mean >= at.DOMINATES:
        return {"private_dominates": (mean, at.DOMINATES, ends)}
    return {"shared_dominates": (mean, 1 - at.DOMINATES, ends)} if mean <= 1 - at.DOMINATES else {}


def _attends(known: _Known) -> _Said:
    """Attention collapsed on one source or still uniform, and dead sources unless it collapsed on another source."""
    shares = known.attention()
    if shares is None or not known.late:
        return {}
    least, distance = shares.min(axis=0), float(np.abs(shares * shares.shape[1] - 1).max())
    if len(shares) > 1 and least.max() >= at.COLLAPSED:
        return {"attention_collapsed": (float(least.max()), at.COLLAPSED, f", on s{least.argmax()}")}
    if known.step >= at.UNIFORM_STEPS and distance <= at.UNIFORM:
        return {"attention_uniform": (distance, at.UNIFORM, f" after {known.step:,} steps")}
    dead = np.flatnonzero((shares == 0).all(axis=0)).tolist()  # a curve is stored in 16 bits, a result is exact
    part, names = len(dead) / len(least), ", ".join(f"s{source}" for source in dead)
    beside = f" ({names if len(dead) <= _NAMED else len(dead)} of {len(least)})"
    if not dead:
        return {}
    return {"most_sources_dead": (part, at.MOST_DEAD, beside)} if part >= at.MOST_DEAD else \
        {"dead_source": (part, 0.0, beside)}


def _swinging(known: _Known) -> _Said:
    """How far a weight moved to and fro in the end part: its range there beyond its net move from first to last."""
    steps, values = known.curve("attention")
    within = steps > (1 - at.END) * (known.steps or math.inf)
    if within.sum() < at.LEAST_POINTS:
        return {}
    shares = known.shares(values[within])
    if shares[0] is None:
        return {}
    swing = np.nan_to_num(np.ptp(shares, axis=0) - np.abs(shares[-1] - shares[0]))  # NaN counts as no swing
    task, source = np.unravel_index(swing.argmax(), swing.shape)
    if swing.max() < at.SWINGS:
        return {}
    low, high = shares[:, task, source].min(), shares[:, task, source].max()
    where = f" in the last fifth ({known.config['tasks'][task]} on s{source}, {low:.2f} to {high:.2f})"
    return {"attention_swinging": (float(swing.max()), at.SWINGS, where)}


_CHECKS: tuple[Callable[[_Known], _Said], ...] = (
    _not_finite, _not_falling, _exploded, _overfits, _words, _unreadable, _constant, _dominated, _attends, _swinging)
