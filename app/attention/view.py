"""The Attention page's view: weights at any recorded step or over seeds, their tree, one cell, two runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app.attention import cells, playing, trees, versus
from app.attention.names import STEP
from app.show import captions, charts, courses, exports, readings, styles, weights
from app.show.weights import TRAINED, Weights
from app.ui import clicks, components, controls, diagnoses, ordering, services, state
from app.ui.names import SOURCE, TASK, WITH
from compt_core.analysis.relatedness import Mantel
from compt_core.errors import quoted
from compt_core.runs.record import RunRecord


@dataclass(frozen=True)
class View:
    """What the page shows: a run, the runs of its other seeds, the weights that are drawn, and the order of tasks."""

    run: RunRecord
    mates: tuple[RunRecord, ...]
    drawn: Weights
    moment: str
    order: tuple[str, ...]

    @property
    def several(self) -> bool:
        """Whether it is the mean over seeds."""
        return self.drawn.half is not None


def view(runs: Sequence[RunRecord]) -> None:
    """Everything on the page for the runs (not empty) that have attention."""
    run = components.run_picker(runs)
    mates = weights.seeds_of(run, runs)
    with st.container(horizontal=True):
        several = ordering.whose_control(mates, "Sources have no fixed order, so they are matched across seeds "
                                                "before averaging.")
        order = ordering.order_control()
    notes = list[str]()
    kept: Mapping[str, np.ndarray] = {} if several else \
        weights.shares(run, *services.store().events(run.id, "attention", notes=notes))
    services.left_out(notes)
    components.change_it(run)
    if playing.is_on(run.id) and len(kept) > 1:
        _film(run, kept, order)
        return
    step = st.query_params.get(STEP, TRAINED)
    if several and step != TRAINED:
        st.caption(captions.literal(f"The mean is taken after training. The step {quoted(step)} of this link is for "
                                    "a single run, and is not used."))
    moment = TRAINED if several else _step(run, kept)
    drawn = weights.mean(mates) if several else weights.single(run, kept[moment])
    shown = View(run, tuple(mates), drawn, moment, tuple(ordering.ordered(drawn, order)))
    task, source = _chosen(shown)
    _heatmap(shown, (task, f"s{source}") if task else None)
    _diagnosis(shown)
    _details(shown, task, source)
    _tree(shown)
    _versus(shown, runs)
    _numbers(weights.frame(drawn, shown.order), f"attention-{run.id}-{ordering.MEAN if several else moment}")


def _step(run: RunRecord, kept: Mapping[str, np.ndarray]) -> str:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        moment = controls.slider(STEP, "Optimizer step", [*kept],
                               "The weights at a step of training. The run was scored with the last ones.")
        if len(kept) > 1:
            playing.button(run.id, [*kept], moment)
    return moment


def _film(run: RunRecord, kept: Mapping[str, np.ndarray], order: str) -> None:
    """The heatmap while it plays. The rest of the page describes one step, and comes back when the film stops."""
    steps = [*kept]
    tasks = ordering.ordered(weights.single(run), order)  # rows that change places would be hard to follow

    def draw(step: str) -> None:
        drawn = weights.single(run, kept[step])
        st.session_state["film_step"] = step
        st.select_slider("Optimizer step", steps, key="film_step", disabled=True,
                         help="Pause the film to choose a step yourself.")
        said = readings.spread(*weights.spread(drawn), drawn.values.shape[1])
        controls.heatmap(weights.frame(drawn, tasks), "weight", captions.plain([said]), "film", "weight")
        st.markdown(f"{'After training' if step == TRAINED else f'After step {step}'}: {said}")

    playing.button(run.id, steps, TRAINED)
    playing.show(run.id, steps, draw)


def _heatmap(shown: View, chosen: clicks.Cell | None) -> None:
    result, learned = shown.run.result or {}, shown.run.config["attention"] == "learned"
    at_end = shown.moment == TRAINED
    dead = (result.get("dead_sources") or []) if at_end and not shown.several else []
    frame = weights.frame(shown.drawn, shown.order)
    lines = readings.attention(frame, dead, learned, len(shown.drawn.each))
    ends = charts.limits(frame, "weight")
    for number, panel in enumerate(charts.panels(frame)):
        clicks.chart(charts.heatmap(panel, "weight", "weight", ends), panel, key=f"attention-{number}",
                     alt=captions.plain(lines), names=(TASK, SOURCE), chosen=chosen)
    about = readings.relatedness(_relatedness(os.environ.get("COMPT_HOME", ""), [one.id for one in shown.mates]
                                              if shown.several else [shown.run.id], shown.drawn)
                                 if learned and at_end else None, len(shown.drawn.each))
    components.findings([*lines, readings.spread(*weights.spread(shown.drawn), shown.drawn.values.shape[1]), *about],
                        [readings.normaliser(result, shown.run.config, len(shown.drawn.each))])


@st.cache_data(max_entries=128, show_spinner="Comparing the weights with the tasks' families …")
def _relatedness(home: str, runs: Sequence[str], _drawn: Weights) -> tuple[Mantel, Mantel] | None:
    return weights.relatedness(_drawn)


def _chosen(shown: View) -> tuple[str | None, int]:
    """The cell that the link names: its task, if any, and its source, by default the task's largest."""
    tasks = [ordering.NONE, *shown.drawn.tasks]
    task = state.open_choice(TASK, tasks)
    if task == ordering.NONE:
        return None, 0
    largest = int(shown.drawn.values[shown.drawn.tasks.index(task)].argmax())
    sources = [f"s{largest}", *(f"s{s}" for s in range(shown.drawn.values.shape[1]) if s != largest)]
    return task, int(state.open_choice(SOURCE, sources)[1:])


def _details(shown: View, task: str | None, source: int) -> None:
    st.header("One weight in detail", anchor=False)
    names = {ordering.NONE: "choose a task"}
    with st.container(horizontal=True):
        st.session_state[TASK] = task or ordering.NONE
        st.selectbox("Task", [ordering.NONE, *shown.order], key=TASK, on_change=state.go_to_choice,
                     args=(TASK, ordering.NONE), format_func=lambda name: names.get(name, name),
                     help="You can also click a cell of the heatmap. This page's address is a link to your choice.")
        if task:
            st.session_state[SOURCE] = f"s{source}"
            st.selectbox("Source", [f"s{s}" for s in range(shown.drawn.values.shape[1])], key=SOURCE,
                         on_change=state.go_to_choice, args=(SOURCE, ""),
                         help="Sources are numbered within one run. For a mean they are matched first.")
    if not task:
        st.markdown("Click a cell above, or choose a task, to see that weight over training, and the nearest tasks.")
        return
    over = weights.like(shown.run, shown.mates) if len(shown.mates) > 1 and not shown.several else None
    points = _course(shown, task)
    if len(points):
        said = cells.caption(points, task, source, shown.drawn.values.shape[1])
        even = 1 / shown.drawn.values.shape[1]
        st.altair_chart(courses.lines(points, f"s{source}", f"weight of {task}", {even: f"uniform: {even:.2f}"}),
                        width="stretch", key="course", alt=said)
        st.caption(captions.literal(said) + ". The faint lines are the task's other sources; dashed is uniform.")
    else:
        st.caption("No weights were recorded while this run trained.")
    components.findings(cells.sentences(shown.drawn, task, source, over))


def _diagnosis(shown: View) -> None:
    """What is wrong or odd in the run that is shown, or in the runs behind a mean."""
    runs = shown.mates if shown.several else (shown.run,)
    found = services.diagnosed(f"{shown.run.experiment}/{'+'.join(run.id for run in runs)}", runs)
    if shown.several:
        diagnoses.view(runs, found)
    else:
        diagnoses.of_run(shown.run, found.get(shown.run.id))


def _course(shown: View, task: str) -> pd.DataFrame:
    runs = shown.mates if shown.several else (shown.run,)
    orders = weights.orders(shown.drawn.each, runs) if shown.several else [np.arange(shown.drawn.values.shape[1])]
    found = services.store().curves([run.id for run in runs], "attention")
    kept = [(found[run.id], order) for run, order in zip(runs, orders, strict=True) if run.id in found]
    if not kept:
        return pd.DataFrame()
    return cells.over_training([points for points, _ in kept], [order for _, order in kept],
                               shown.drawn.tasks.index(task), len(shown.drawn.tasks))


def _tree(shown: View) -> None:
    drawn = trees.tree(shown.drawn)
    if drawn is None:
        return
    st.header("Which tasks are alike", anchor=False)
    lines = trees.sentences(drawn, shown.drawn)
    st.plotly_chart(trees.figure(drawn), width="stretch", key="tree", config=charts.PLOTLY_CONFIG,
                    alt=captions.plain(lines))
    components.findings(lines)


def _versus(shown: View, runs: Sequence[RunRecord]) -> None:
    st.header("Compared with another run", anchor=False)
    lines = {run.id: captions.run_line(run) for run in runs if run.id != shown.run.id}
    if not lines:
        st.markdown("This experiment has no other run with attention to compare with.")
        return
    other = state.open_choice(WITH, [ordering.NONE, *lines, shown.run.id])
    other = ordering.NONE if other == shown.run.id else other  # that run has meanwhile become the first of the two
    st.session_state[WITH] = other
    st.selectbox("Compare with", [ordering.NONE, *lines], key=WITH, on_change=state.go_to_choice,
                 args=(WITH, ordering.NONE), format_func=lambda name: lines.get(name, "nothing"),
                 help="Any run of this experiment that has attention. Both are compared as they ended.")
    if other == ordering.NONE:
        return
    second = next(run for run in runs if run.id == other)
    if (sources := weights.of_run(second).shape[1]) != shown.drawn.values.shape[1]:
        st.info(f"That run has {captions.plural(sources, 'source')} and this one {shown.drawn.values.shape[1]}, so "
                "they cannot be matched. Choose a run with as many sources as this one.")
        return
    if shown.several and second in shown.mates:
        st.info("That run is part of the mean that is shown. Choose a run of another method or shot count.")
        return
    if shown.several:
        mates = weights.seeds_of(second, runs)
        found = versus.compare(shown.drawn, weights.mean(mates))
        names = [f"mean over {captions.plural(len(one), 'seed')} of {styles.label(one[0].variant)}, "
                 f"{captions.plural(one[0].shots, 'shot')}" for one in (shown.mates, mates)]
    else:
        found = versus.compare(weights.single(shown.run), weights.single(second))
        names = [captions.run_title(run) for run in (shown.run, second)]
    _three(shown, found, names)


def _three(shown: View, found: versus.Comparison, names: Sequence[str]) -> None:
    said = versus.sentences(found)
    pair = [weights.frame(one, shown.order) for one in (found.first, found.second)]
    change = weights.frame(versus.gap(found), shown.order)
    ends = charts.limits(pd.concat(pair), "weight")
    figures = [charts.heatmap(pair[0], "weight", "weight", ends), charts.heatmap(pair[1], "weight", "weight", ends),
               charts.heatmap(change, "shift", "second minus first", charts.limits(change, "shift"))]
    grid = st.grid(3, min_column_width=380, gap="medium")
    for key, name, figure in zip(("first", "second", "change"), [*names, "second minus first"], figures, strict=True):
        with grid.cell():
            st.markdown(f"**{captions.literal(name)}**")
            st.plotly_chart(figure, width="stretch", key=f"versus-{key}", config=charts.PLOTLY_CONFIG,
                            alt=f"{name}. {captions.plain(said)}")
    components.findings(said, ["Both are shown as they ended training."])


def _numbers(frame: pd.DataFrame, name: str) -> None:
    """Every number, drawn only when asked for, so that the heatmap need not wait until a browser has loaded tables."""
    box = st.expander("The numbers as a table or CSV", icon=":material/table:", key="numbers", on_change="rerun")
    if not box.open:
        return
    named = {"row": "task", "column": "source", "value": "weight", "half": "half of the 95% interval", "n": "runs"}
    with box:
        st.download_button("CSV", exports.csv(frame, "task"), f"{name}.csv", "text/csv", icon=":material/download:",
                           key="csv", on_click="ignore", help="Every weight with all its digits.")
        st.dataframe(frame.rename(columns=named)[list(named.values())], hide_index=True, placeholder="",
                     alt="Every weight of the heatmap",
                     column_config={name: st.column_config.NumberColumn(format="%.4f")
                                    for name in ("weight", "half of the 95% interval")})
