"""The controls that lay a dev row on the bench: its task, and its number or a list of interesting rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.show import captions
from app.show.mistakes import Answers
from app.ui import controls, services, state
from app.ui.names import TASK
from app.whatif.bench import sentence
from app.whatif.bench.prompts import EDITED, mates
from app.whatif.bench.reader import Reader
from app.whatif.bench.sentence import Sentence
from app.whatif.names import ROW, ROWS
from compt_core.analysis.answers import stored_predictions
from compt_core.runs.record import RunRecord
from compt_core.tasks.spec import Row, Task
from compt_core.whatif.texts import brief

ALL, WRONG, APART, FLIPPED = "all", "wrong", "apart", "flipped"
_NAMES = {ALL: "any row, by number", WRONG: "rows it gets wrong", APART: "rows where methods differ",
          FLIPPED: "rows the edit flips"}
_LISTED = 300  # rows in a list
_PREVIEW = 110  # characters of a row in it
_TASK, _NUMBER, _LIST = "bench_task", "bench_number", "bench_list"


def task_control(known: Sequence[str]) -> str:
    """The task whose prompts are compared: the one in the link, as on every page."""
    chosen = state.open_choice(TASK, known)
    st.session_state[_TASK] = chosen
    st.selectbox("Task of the text", known, key=_TASK, on_change=_go_to_task,
                 help="The text is read with the prompts of this task.")
    return chosen


def row_controls(reader: Reader, runs: Sequence[RunRecord], rows: Sequence[Row], now: Sentence) -> None:
    """Picks a dev row by its number or from a list."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ways = [ALL, WRONG, APART, *([FLIPPED] if EDITED in reader.side.prompts else [])]
        way = controls.choice(ROWS, "Dev rows", ways, "Rows with a known answer that no run was trained on. They are "
                            "counted from 0, as in the exported files. The lists use the stored answers of the runs.",
                            names=_NAMES)
        at = int(st.query_params.get(ROW, 0))
        if now.row is None:
            st.button(f"Back to dev row {at}", on_click=sentence.put, args=(reader.task, (), at), key="bench_back",
                      icon=":material/undo:")
        if way == ALL:
            st.session_state[_NUMBER] = at
            st.number_input(f"Row (0 to {len(rows) - 1:,})", 0, len(rows) - 1, key=_NUMBER, on_change=_go_to_row,
                            args=(reader.task, _NUMBER), width=160)
    if way != ALL:
        _list(reader.task, _numbers(way, reader, runs, rows), rows, at)


def _list(task: Task, numbers: Sequence[int], rows: Sequence[Row], at: int) -> None:
    if not numbers:
        st.markdown(f"No such row among the {captions.plural(len(rows), 'dev row')}; the text is still row {at}.")
        return
    cut = f"; the first {_LISTED} are listed" if len(numbers) > _LISTED else ""
    listed = list(numbers[:_LISTED])
    lines = {number: f"{number} · {_brief(rows[number])}" for number in listed}
    if at not in lines:
        lines = {at: f"{at} · (not in this list) {_brief(rows[at])}"} | lines
    st.session_state[_LIST] = at
    st.selectbox(f"{captions.plural(len(numbers), 'row')} of {len(rows):,}{cut}", list(lines), key=_LIST,
                 format_func=lambda number: lines[number], on_change=_go_to_row, args=(task, _LIST))


def _brief(row: Row) -> str:
    return brief(" · ".join(row.texts), _PREVIEW)


def _numbers(way: str, reader: Reader, runs: Sequence[RunRecord], rows: Sequence[Row]) -> list[int]:
    """The rows of a list, by number."""
    task, own = reader.task, _predicted(reader.run, reader.task)
    if way == WRONG:
        found = Answers(task, tuple(rows), own[None]).wrong[0]
    elif way == APART:
        others = [_predicted(mate, task) for mate in mates(runs, reader.run).values()]
        spread = np.ptp(np.stack(others), axis=0)
        found = spread >= 1  # another label, or a point or more away if the task is numeric
    else:
        found = np.abs(reader.edited_answers(rows) - own) >= (1 if task.numeric else 0.5)
    return [int(number) for number in np.flatnonzero(found)]


def _predicted(run: RunRecord, task: Task) -> np.ndarray:
    """A run's stored answers on the dev rows."""
    return stored_predictions(run, task, services.store().scores(run.id)[task.name])


def _go_to_task() -> None:
    state.choose({TASK: st.session_state[_TASK]})
    st.query_params.pop(ROW, None)


def _go_to_row(task: Task, key: str) -> None:
    sentence.put(task, (), int(st.session_state[key]))
