"""What is behind one cell of the accuracy heatmap: the answers given, and the rows that were answered wrongly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app.accuracy.names import METHOD, SEED
from app.show import captions, charts, frames, mistakes, styles
from app.show.mistakes import Answers
from app.ui import controls, services, state
from app.ui.clicks import Cell
from app.ui.names import TASK
from compt_core.analysis.answers import scored_rows, stored_predictions
from compt_core.errors import ComptError, StoreError
from compt_core.runs.record import RunRecord

ALL, NONE = "all", "none"
_SHOWN = 200  # wrong rows; a table of thousands is no help


def link(row: str, column: str) -> Cell | None:
    """(row, task) of a heatmap's cell; None for references and means, which no run answered."""
    if row in frames.REFERENCES or column in (frames.MEAN, frames.NORMALISED):
        return None
    return row, column.split(frames.BREAK)[0]


def chosen(runs: Sequence[RunRecord]) -> Cell | None:
    """The cell that the link names, for the completed runs of one shot count; None if it names no task."""
    task = state.open_choice(TASK, [NONE, *runs[0].config["tasks"]])
    return None if task == NONE else (state.open_choice(METHOD, _methods(runs)), task)


def view(runs: Sequence[RunRecord], shots: int) -> None:
    """The controls and the answers that they choose, for the completed runs (not empty) of one shot count."""
    st.header("Behind a cell", anchor=False)
    methods, tasks = _methods(runs), [NONE, *runs[0].config["tasks"]]
    with st.container(horizontal=True):
        task = controls.pick(TASK, "Task", tasks, "The task of the dev rows. You can also click a cell above.",
                           {NONE: "choose a task"})
        method = controls.pick(METHOD, "Method or variant", methods, "Which row's answers are shown.",
                             {name: styles.label(name) for name in methods})
        mine = [run for run in runs if run.variant == method]
        seeds = [str(run.seed) for run in mine]
        seed = controls.pick(SEED, "Seed", [ALL, *seeds] if len(seeds) > 1 else seeds,
                           "One run's answers, or those of all seeds together.",
                           {ALL: captions.every(len(seeds), "seed")})
    if task == NONE:
        st.markdown("Click a cell above, or choose a task, to see which answers were given, and the sentences that "
                    "were answered wrongly.")
        return
    chosen = [run for run in mine if seed in (ALL, str(run.seed))]
    try:
        with st.spinner("Reading the answers …", show_time=False):
            answers = _answers(chosen, task)
    except ComptError as error:
        st.info(captions.literal(f"The answers on '{task}' cannot be shown: {error}"), icon=":material/info:")
        return
    about = f"{styles.label(method)} on {task}, {captions.plural(shots, 'shot')}"
    about += "" if seed == ALL else f", seed {seed}"
    _show(answers, mistakes.reading(answers, about))


def _methods(runs: Sequence[RunRecord]) -> list[str]:
    return list(dict.fromkeys(run.variant for run in runs))


def _show(answers: Answers, lines: Sequence[str]) -> None:
    st.markdown("\n".join(f"- {captions.literal(line)}" for line in lines))
    halves = st.grid(2, min_column_width=380, gap="medium")
    with halves.cell():
        cells = mistakes.confusion(answers)
        figure = charts.heatmap(cells, "count", "answers", charts.limits(cells, "count"))
        figure.update_xaxes(title="answered").update_yaxes(title="right answer")
        st.plotly_chart(figure, width="stretch", key="confusion", config=charts.PLOTLY_CONFIG,
                        alt=f"The right answers compared with the answers given. {' '.join(lines)}")
    with halves.cell():
        wrong = mistakes.table(answers)
        if not len(wrong):
            st.success("Every row is answered correctly here.", icon=":material/check:")
            return
        cut = f" (the first {_SHOWN} of {len(wrong)})" if len(wrong) > _SHOWN else ""
        st.markdown(f"**{captions.plural(len(wrong), 'dev row')} with a wrong answer**{cut}")
        st.dataframe(_titled(wrong.head(_SHOWN), len(answers.predicted)), hide_index=True, placeholder="", height=380,
                     alt="Dev rows with a wrong answer", key="wrong_rows")


def _titled(wrong: pd.DataFrame, runs: int) -> pd.DataFrame:
    shown = wrong if runs > 1 else wrong.drop(columns="wrong in")
    return shown.rename(columns={"right": "right answer", "wrong in": f"wrong in (of {captions.plural(runs, 'seed')})"})


def _answers(runs: Sequence[RunRecord], task: str) -> Answers:
    """The answers of runs of one experiment on `task`. Raises ComptError where rows or scores cannot be read."""
    given = []
    for run in runs:  # each checks that the data are still those it was scored on
        rows, scores = scored_rows(run, task), services.store().scores(run.id)
        if task not in scores:
            raise StoreError(f"the answers of run {run.id} are no longer in the store.")
        given.append(stored_predictions(run, run.tasks.needed(task), scores[task]))
    return Answers(runs[0].tasks.needed(task), rows, np.array(given))
