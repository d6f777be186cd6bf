"""The Attention page's view: one run at any recorded step, or the mean over seeds; order of tasks; what it says."""

from __future__ import annotations

import os
from collections.abc import Sequence

import streamlit as st

from app import captions, components, panels, readings, services, state, weights
from app.weights import TRAINED, Weights
from compt_core.relatedness import Mantel
from compt_core.runs.record import RunRecord

RUN, MEAN = "run", "mean"
BY_FAMILY, CLUSTERED = "family", "clustered"


def view(runs: Sequence[RunRecord]) -> None:
    """Controls, heatmap and findings of the runs (not empty) that have attention."""
    run = components.run_picker(runs)
    mates = weights.seeds_of(run, runs)
    with st.container(horizontal=True):
        whose = panels.choice(state.OF, "Show", [RUN, MEAN] if len(mates) > 1 else [RUN],
                              "Sources have no order of their own: they are matched across seeds before averaging.",
                              names={RUN: "this run", MEAN: f"mean over its {len(mates)} seeds"},
                              shown=len(mates) > 1)
        order = panels.choice(state.ORDER, "Order of tasks", [BY_FAMILY, CLUSTERED],
                              "Clustered puts tasks with similar weights next to each other.",
                              names={BY_FAMILY: "by family", CLUSTERED: "clustered"})
    if whose == MEAN:
        drawn, moment = weights.mean(mates), TRAINED
    else:
        kept = weights.shares(run, *services.store().events(run.id, "attention"))
        moment = panels.slider(state.STEP, "Optimizer step", [*kept],
                               "The weights as training went on; the run was scored with those at its end.")
        drawn = weights.single(run, kept[moment])
    frame = weights.frame(drawn, drawn.tasks if order == BY_FAMILY else weights.clustered(drawn))
    result, learned = run.result or {}, run.config["attention"] == "learned"
    dead = (result.get("dead_sources") or []) if whose == RUN and moment == TRAINED else []
    lines = readings.attention(frame, dead, learned, len(drawn.each))
    panels.heatmap(frame, "weight", captions.plain(lines), "attention", "weight")
    about = readings.relatedness(_relatedness(os.environ.get("COMPT_HOME", ""), [one.id for one in mates], drawn)
                                 if learned and moment == TRAINED else None, len(drawn.each))
    components.findings([*lines, readings.spread(*weights.spread(drawn), drawn.values.shape[1]), *about],
                        [readings.normaliser(result, run.config)])
    with st.expander("The numbers as a table", icon=":material/table:", key="numbers"):
        named = {"row": "task", "column": "source", "value": "weight", "half": "half of the 95% interval", "n": "runs"}
        st.dataframe(frame.rename(columns=named)[list(named.values())], hide_index=True, placeholder="",
                     alt="Every weight of the heatmap",
                     column_config={name: st.column_config.NumberColumn(format="%.4f")
                                    for name in ("weight", "half of the 95% interval")})


@st.cache_data(max_entries=128, show_spinner="Comparing the weights with the tasks' families …")
def _relatedness(home: str, runs: Sequence[str], _drawn: Weights) -> Mantel | None:
    return weights.relatedness(_drawn)
