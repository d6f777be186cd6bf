"""Loss and score of an experiment's runs as they train, and attention and gates as they form. Part of the live page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.runs.names import CURVES, FOLLOW
from app.show import captions, charts, frames, progress, styles, weights
from app.ui import controls, services
from app.ui.names import SHOTS
from app.ui.services import Curve
from compt_core.methods.table import METHODS
from compt_core.runs.points import thin
from compt_core.runs.record import RunRecord, State

MEAN, LOSSES, SCORES = "mean", "task_loss", "dev_score"
_NAMES = {MEAN: "loss and score", LOSSES: "loss per task", SCORES: "score per task"}
_AXES = {"loss": charts.LOSS, LOSSES: charts.LOSS, SCORES: charts.SCORE}
_POINTS = 24  # of a sparkline

Drawn = tuple[dict[str, Any], str]  # a figure and its alternative text


def view(experiment: str, runs: Sequence[RunRecord]) -> None:
    """The curves that the visitor chose; nothing before the first point is measured."""
    losses, take_away = services.drawn(experiment, runs, "loss", _BY_KIND["loss"])
    if not losses:
        return
    st.header("As training goes on", anchor=False)
    kind = controls.choice(CURVES, "Curves", list(_NAMES), "About ten times during training, each run "
                           "is scored on a few dev rows of each task (the setting 'watch rows'). Training itself "
                           "never uses these scores.",
                           names=_NAMES)
    if kind == MEAN:
        scores, about = services.drawn(experiment, runs, SCORES, _BY_KIND[SCORES])
        _side_by_side(losses, scores)
        st.markdown(take_away + (f" {_rows(runs)} {about}" if scores else ""))
    else:
        _per_task(experiment, runs, kind)


def _side_by_side(losses: dict[int, Drawn], scores: dict[int, Drawn]) -> None:
    """The loss and, where it was measured, the score next to it; a row per shot count."""
    columns = 2 if scores or len(losses) > 1 else 1
    grid = st.grid(columns, min_column_width=380, gap="medium")
    for count, of_loss in losses.items():
        for name, one in (("loss", of_loss), ("score", scores.get(count))):
            if one is not None:
                with grid.cell():
                    st.vega_lite_chart(one[0], width="stretch", key=f"{name}-{count}", alt=one[1])


def _per_task(experiment: str, runs: Sequence[RunRecord], kind: str) -> None:
    counts = [str(shots) for shots in sorted({run.shots for run in runs})]
    shots = controls.choice(SHOTS, "Shots", counts, "Training rows per task (or per label).",
                          shown=len(counts) > 1)
    chosen = [run for run in runs if str(run.shots) == shots]
    figures = services.drawn(f"{experiment}/{shots}", chosen, kind, _BY_TASK[kind])
    if not figures:
        st.caption("Nothing has been measured yet.")
    grid = st.grid(3, min_column_width=300, gap="small")
    for task, (figure, said) in figures.items():
        with grid.cell():
            st.vega_lite_chart(figure, width="stretch", key=f"{kind}-{task}", alt=said)
    if figures:
        rows = frames.variants(chosen)
        shown = captions.listed([styles.marked(name, styles.looks(rows)) for name in rows])
        st.markdown(f"{_AXES[kind].capitalize()} by optimizer step. Each line ends in the mark of its row: {shown}."
                    + (f" {_rows(runs)}" if kind == SCORES else ""))


def _rows(runs: Sequence[RunRecord]) -> str:
    """What the scores were taken on."""
    rows = max(min(run.config.get("watch_rows", 8), run.config["eval_rows"] or 10**9) for run in runs)
    return (f"The scores are each task's first metric (0-1, undefined counts as 0) on at most "
            f"{captions.plural(rows, 'dev row')} per task, so one row is {100 / max(rows, 1):.1f} points of a task's "
            "accuracy. The final scores use all rows that this experiment scores.")


def _counted(kind: str, curves_of: Sequence[Curve]) -> Sequence[Curve]:
    """The curves with an undefined score counted as 0, as in every mean of scores. Losses stay as they are."""
    return [(run, steps, np.nan_to_num(values, nan=0.0)) for run, steps, values in curves_of] if kind == SCORES else \
        curves_of


def _draw(kind: str, curves_of: Sequence[Curve]) -> tuple[dict[int, Drawn], str]:
    """Shot count -> figure, and what the curves say."""
    table = frames.curves(_counted(kind, curves_of))
    if table.empty:
        return {}, ""
    thin, counts = frames.thinned(table), sorted(set(table["shots"]))
    looks = _looks(curves_of)
    limits, figures = (charts.ends(thin) if kind == "loss" else (min(0.0, float(thin["value"].min())), 1.0)), {}
    for count in counts:  # a figure per shot count: lines of two counts would look the same
        name = captions.plural(int(count), "shot") if len(counts) > 1 else ""
        said = captions.curves_alt(table[table["shots"] == count],
                                   "Training loss" if kind == "loss" else "Mean score over tasks on a few dev rows")
        figure = charts.curves(thin[thin["shots"] == count], looks, name, limits, _AXES[kind])
        figures[int(count)] = charts.plain(figure), f"{name}. {said}" if name else said
    runs = [run for run, *_ in curves_of]
    return figures, captions.loss(table, len(runs), progress.settled(runs)) if kind == "loss" else ""


def _draw_tasks(kind: str, curves_of: Sequence[Curve]) -> dict[str, Drawn]:
    """Task -> figure, all on one scale."""
    if not curves_of:
        return {}
    tasks, measured = curves_of[0][0].config["tasks"], _counted(kind, curves_of)
    tables = {task: frames.curves(frames.one_task(measured, k)).dropna() for k, task in enumerate(tasks)}
    whole = pd.concat([frames.thinned(table, most=4) for table in tables.values()])
    limits = charts.ends(whole) if kind == LOSSES else (min(0.0, float(whole["value"].min())), 1.0)
    what, looks = "Training loss" if kind == LOSSES else "Score on a few dev rows", _looks(curves_of)
    return {task: (charts.plain(charts.curves(frames.thinned(table, most=4), looks, task, limits, _AXES[kind],
                                             small=True)),
                   f"{task}. {captions.curves_alt(table, what)}") for task, table in tables.items() if len(table)}


def _looks(curves_of: Sequence[Curve]) -> dict[str, styles.Look]:
    return styles.looks(frames.variants([run for run, *_ in curves_of]))


_BY_KIND = {kind: partial(_draw, kind) for kind in ("loss", SCORES)}  # one object each: they are keys of a cache
_BY_TASK = {kind: partial(_draw_tasks, kind) for kind in (LOSSES, SCORES)}


def sparks(experiment: str, runs: Sequence[RunRecord]) -> dict[str, list[float]]:
    """Run -> its loss so far in a few points, for a line in a table."""
    return services.drawn(experiment, runs, "loss", _sparks, quiet=True)


def _sparks(curves_of: Sequence[Curve]) -> dict[str, list[float]]:
    return {run.id: [round(float(value), 3) for value in values[thin(values, _POINTS), 0]]
            for run, _, values in curves_of}


def forming(experiment: str, runs: Sequence[RunRecord]) -> None:
    """The current attention and gates of one run that is training. They are drawn only for visitors who open the box,
    because a browser on the machine that trains slows the training down."""
    composed = [run for run in runs if METHODS[run.method].composed and run.state == State.RUNNING and run.step]
    if not composed:
        return
    box = st.expander("Watch attention and gates as they form", icon=":material/hub:", key="forming_box",
                      on_change="rerun")
    if box.open:
        with box:
            _follow(experiment, composed)


def _follow(experiment: str, composed: Sequence[RunRecord]) -> None:
    lines = {run.id: captions.run_title(run) for run in composed}
    wanted = st.query_params.get(FOLLOW)
    if wanted is not None and wanted not in lines:  # it has ended since
        st.query_params.pop(FOLLOW)
    chosen = controls.pick(FOLLOW, "Run to follow", list(lines), "A run of SPP or SCP that is training now.", lines)
    run = next(run for run in composed if run.id == chosen)
    attention, gates = (services.drawn(f"{experiment}/{chosen}", [run], kind, draw)
                        for kind, draw in (("attention", _draw_attention), ("gates", _draw_gates)))
    if attention is None:
        st.caption("Nothing has been measured yet.")
        return
    halves = st.grid(2, min_column_width=380, gap="medium")
    with halves.cell():
        figure, step, said = attention
        st.markdown(f"**Attention** after step {step}: tasks × sources")
        st.plotly_chart(figure, width="stretch", key="forming", config=charts.PLOTLY_CONFIG, alt=said)
    if gates is not None:
        with halves.cell():
            spec, step, said = gates
            st.markdown(f"**Gates** after step {step}: how much each task leans on its private prompt")
            st.vega_lite_chart(spec, width="stretch", key="forming_gates", alt=said)


def _draw_attention(curves_of: Sequence[Curve]) -> tuple[Any, int, str] | None:
    """The newest weights of the run as (figure, step, alternative text)."""
    if not curves_of:
        return None
    (run, steps, values), = curves_of
    now = values[-1].reshape(len(run.config["tasks"]), -1)
    frame = weights.frame(weights.single(run, now), run.config["tasks"])
    return (charts.heatmap(frame, "weight", "weight", charts.limits(frame, "weight")), int(steps[-1]),
            f"Attention after step {steps[-1]}; the largest weight is {now.max():.2f}")


def _draw_gates(curves_of: Sequence[Curve]) -> tuple[Any, int, str] | None:
    """The newest private shares of the run as (specification, step, alternative text)."""
    if not curves_of:
        return None
    (run, steps, values), = curves_of
    alpha, beta = values[-1].reshape(2, -1)
    share = alpha / np.where(alpha + beta > 0, alpha + beta, 1)
    table = pd.DataFrame({"task": list(run.config["tasks"]), "private_share": share, "private_norm_share": np.nan})
    return (charts.plain(charts.gate_shares(table)), int(steps[-1]),
            f"Private share of the gates after step {steps[-1]}: {share.min():.2f} to {share.max():.2f}")
