"""The ablation table's view: one run's effects next to its weights, what they say, and the same over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.show import captions, charts, exports, weights
from app.ui import clicks, components, controls, ordering, state
from app.ui.names import OF, SOURCE, TASK
from app.ui.ordering import MEAN, NONE, RUN
from app.whatif import link
from app.whatif.ablation import figures, over_seeds, tables, words
from app.whatif.ablation.tables import Options
from app.whatif.names import CONTROL, MEASURE, PART, RENORMALISE
from compt_core.methods.table import METHODS
from compt_core.runs.record import RunRecord
from compt_core.whatif.edit import Edit
from compt_core.whatif.effects import MEASURES, SCORE, Ablation

OFF, ON = "off", "on"


def view(runs: Sequence[RunRecord], run: RunRecord) -> None:
    """The part of the page for `run`; `runs` are the completed runs of its experiment."""
    if (run.result or {}).get("attention") is None:
        st.info(f"An ablation table needs a run with attention over sources. {METHODS[run.method].lacks} Choose "
                "another run above.", icon=":material/info:")
        return
    mates = weights.seeds_of(run, runs)
    measure, options, several, order = _controls(run, mates)
    if several:
        over_seeds.view(mates, measure, options)
        return
    table = _made(run, options)
    _one(run, table, measure, ordering.ordered(weights.single(run), order))


def _controls(run: RunRecord, mates: Sequence[RunRecord]) -> tuple[str, Options, bool, str]:
    generated = run.config["scoring"] == "generate"
    with st.container(horizontal=True):
        several = controls.choice(OF, "Show", [RUN, MEAN] if len(mates) > 1 else [RUN],
                                "Sources have no common order over seeds, so only figures for a whole run can be "
                                "averaged: its rank correlations and its two parts.", shown=len(mates) > 1,
                                names={RUN: "this run", MEAN: captions.every(len(mates), "seed")}) == MEAN
        measure = controls.choice(MEASURE, "Measure", [SCORE] if generated else list(MEASURES),
                                "The dev score changes only when an answer changes. The log-probability of the right "
                                "label (among the label words, mean over dev rows) also shows smaller shifts.",
                                shown=not generated, names=words.NAMES)
        renormalise = controls.choice(RENORMALISE, "Scale up the rest", [OFF, ON],
                                    "On: the remaining weights are scaled so that their sum stays the same.",
                                    names={OFF: OFF, ON: ON})
        control = controls.choice(CONTROL, "Random moves", [OFF, ON],
                                "A control: each prompt is also moved in a random direction, as far as muting moves "
                                "it. This takes about twice as long.", names={OFF: OFF, ON: ON})
        order = "" if several else ordering.order_control()
    return measure, Options(renormalise == ON, control == ON), several, order


def _made(run: RunRecord, options: Options) -> Ablation:
    """The run's table, with a progress bar while it is computed for the first time."""
    if (known := tables.kept(run, options).table) is not None:
        return known
    bar = st.progress(0.0, "Loading the backbone and the dev rows …")
    found = tables.made(run, options, lambda done, of: _tell(bar, done, of))
    bar.empty()
    return found


def _tell(bar: st.delta_generator.DeltaGenerator, done: int, of: int) -> None:
    bar.progress(done / of, f"Muting every source: {done} of {captions.plural(of, 'task')} scored …")


def _one(run: RunRecord, table: Ablation, measure: str, order: Sequence[str]) -> None:
    ranked = words.ranks(table, measure)
    lines, frame, chosen = words.reading(table, measure, ranked), tables.cells(table, measure, order), _chosen(table)
    drawn = weights.frame(weights.single(run), order)
    halves = st.grid(2, min_column_width=460, gap="medium")
    _pair(halves, "What muting a source does", "effects",
          [(figures.heatmap(panel, measure), panel) for panel in charts.panels(frame)], captions.plain(lines), chosen)
    ends, ranks = charts.limits(drawn, "weight"), captions.plain(ranked)
    _pair(halves, "Its attention weight", "weights",
          [(charts.heatmap(panel, "weight", "weight", ends), panel) for panel in charts.panels(drawn)],
          f"The attention weights in the same order. {ranks}", chosen)
    components.findings(lines, [words.note(table, measure, run.tasks)])
    _cell(table, measure, chosen, order)
    below, parts = st.grid(2, min_column_width=460, gap="medium"), tables.parts(table, measure, order)
    with below.cell():
        st.markdown("**Effect against weight** (filled: differs from 0 beyond chance)")
        st.plotly_chart(figures.points(frame, measure, run.tasks), width="stretch", key="points",
                        config=charts.PLOTLY_CONFIG, alt=f"Effect of muting against weight. {ranks}")
    if len(parts):
        with below.cell():
            st.markdown("**A whole part switched off**")
            st.plotly_chart(figures.heatmap(parts, measure), width="stretch", key="parts", config=charts.PLOTLY_CONFIG,
                            alt=captions.plain(words.parts(table, measure)))
    st.download_button("CSV", exports.csv(tables.download(table, order), "task"), f"ablation-{run.id}.csv", "text/csv",
                       icon=":material/download:", key="csv", on_click="ignore",
                       help="Every weight and effect, in all measures, with all digits.")


def _pair(halves: Any, title: str, key: str, parts: Sequence[tuple[go.Figure, pd.DataFrame]], alt: str,
          chosen: clicks.Cell | None) -> None:
    """One of the two heatmaps that share their cells; a click on either chooses a cell."""
    with halves.cell():
        st.markdown(f"**{title}**")
        for number, (figure, panel) in enumerate(parts):
            clicks.chart(figure, panel, key=f"{key}-{number}", alt=alt, names=(TASK, SOURCE), chosen=chosen)


def _chosen(table: Ablation) -> clicks.Cell | None:
    """The cell that the link names; without a source in the link, the task's largest."""
    task = state.open_choice(TASK, [NONE, *table.tasks])
    if task == NONE:
        return None
    largest = int(table.weights[table.tasks.index(task)].argmax())
    sources = [f"s{largest}", *(f"s{s}" for s in range(table.weights.shape[1]) if s != largest)]
    return task, state.open_choice(SOURCE, sources)


def _cell(table: Ablation, measure: str, chosen: clicks.Cell | None, order: Sequence[str]) -> None:
    """One cell in words, and a button that opens its edit."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state[TASK] = chosen[0] if chosen else NONE
        st.selectbox("Task", [NONE, *order], key=TASK, on_change=state.go_to_choice, args=(TASK, NONE),
                     format_func=lambda name: "choose a task" if name == NONE else name, width=260,
                     help="Or click a cell. The address of this page links to your choice.")
        if chosen is None:
            return
        st.session_state[SOURCE] = chosen[1]
        st.selectbox("Source", [f"s{s}" for s in range(table.weights.shape[1])], key=SOURCE, width=120,
                     on_change=state.go_to_choice, args=(SOURCE, ""), help="Sources are numbered within a run.")
        st.button("Open this edit", icon=":material/tune:", key="open-edit", on_click=_open,
                  args=(*chosen, table.renormalise), help="Mutes this source for this task under 'Change the run', "
                  "which also lists the sentences whose answer changes.")
    components.findings([words.cell(table, measure, *chosen)])


def _open(task: str, source: str, renormalise: bool) -> None:
    link.put(Edit(mute={task: (int(source[1:]),)}, renormalise=renormalise))
    state.choose({PART: "edit"})
