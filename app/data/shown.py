"""What is shown of any task: its columns and labels, examples as the model reads them, what is doubtful."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import streamlit as st

from app.data import pieces
from app.data.by import By
from app.show import captions
from compt_core.errors import ComptError
from compt_core.planning.doubts import doubts
from compt_core.tasks import selections
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import Task, TaskData

MOST_EXAMPLES = 6
MOST_LABELS = 12  # in a table
MOST_DOUBTS = 8
_SCORES = {"macro_f1": "macro F1", "f1": "F1", "matthews": "Matthews correlation", "pearson": "Pearson correlation",
           "spearman": "Spearman correlation"}


def rows_here(task: Task, folders: Sequence[str | None]) -> tuple[TaskData | None, str]:
    """The rows of a task that are on this machine, in the first of the data `folders` that has some; or None and why.
    Nothing is downloaded."""
    try:
        with st.spinner("Reading the rows …"):
            if task.bundled or task.files:
                return load_task(task, None), ""
            for folder in (*folders, *selections.NAMES):
                if folder and os.path.isdir(selections.place(folder) / task.name):
                    return load_task(task, folder), ""
    except ComptError as error:
        return None, captions.literal(error)
    return None, ("Its rows are not on this machine, so no example can be shown. A run takes them from the datasets "
                  "hub or from a data folder; “Rows for a public task” above takes files.")


def facts(task: Task, data: TaskData | None) -> None:
    """The task as a small table."""
    texts = [f"{captions.literal(column)} (read as “{captions.literal(name)}:”)"
             for column, name in zip(task.columns, task.field_names("neutral"), strict=True)]
    shown = {"Texts": captions.listed(texts), "Label": f"column {captions.literal(task.label_column)}"}
    if task.numeric:
        shown["Answers"] = f"numbers from {task.labels[0]} to {task.labels[-1]} in steps of {task.step:g}"
    shown["Scored by"] = captions.listed([_SCORES.get(metric, metric) for metric in task.metrics])
    if data:
        shown["Rows"] = f"{len(data.train):,} to train on, {len(data.dev):,} dev rows to score on"
        if left := sum(data.skipped.values()):
            shown["Left out"] = f"{captions.plural(left, 'row')} without a label, or with one that is left out"
    given = {"Source": task.source, "Licence": task.licence}
    shown |= {name: captions.literal(text) for name, text in given.items() if text}
    if task.hub and not task.source:
        shown["Source"] = f"{captions.literal(task.hub[0])} on the datasets hub"
    st.table(shown, border="horizontal", alt=f"Columns, labels and rows of the task {task.name}")


def labels(task: Task, data: TaskData | None, by: By) -> None:
    """The labels, each with its word, its rows and its pieces."""
    if task.numeric:
        return
    reader, _ = by.reader(task)
    words = task.words(by.prefix)
    count = {split: Counter(row.label for row in getattr(data, split)) for split in ("train", "dev")} if data else {}
    same = list(words) == list(task.written_labels)
    table = [{**({} if same else {"in the data": written}), "word": word,
              **{f"{split} rows": count[split][number] for split in count},
              **({"pieces": " | ".join(piece.text for piece in reader.word(word))} if reader else {})}
             for number, (written, word) in enumerate(zip(task.written_labels, words, strict=True))]
    st.dataframe(table, hide_index=True, height=35 * (min(len(table), MOST_LABELS) + 1) + 3,
                 alt=f"{captions.plural(len(table), 'label')} with their words: {captions.listed(words[:MOST_LABELS])}")


def examples(data: TaskData, by: By) -> None:
    """A row of each label, as the model reads it."""
    reader, problem = by.reader(data.task)
    if reader is None:
        st.markdown(f":red[:material/error: {captions.literal(problem)}]")
        return
    found = [reader.read(row) for row in pieces.examples(data).values()]
    for reading in found[:MOST_EXAMPLES]:
        st.markdown(pieces.markdown(reading))
    rows = (*data.train[:100], *data.dev[:100])
    readings = [reader.read(row) for row in rows]
    most_cut = max(readings, key=lambda one: one.cut)
    if most_cut.cut and not any(one.cut for one in found[:MOST_EXAMPLES]):  # so that a cut one is among them
        st.markdown(pieces.markdown(most_cut))
    st.caption(pieces.LEGEND)
    cut, longest = sum(bool(one.cut) for one in readings), max(one.read + one.cut for one in readings)
    st.caption(f"Of the first {captions.plural(len(rows), 'row')} the longest has {longest:,} pieces; the model reads "
               f"at most {by.max_tokens:,}, so {captions.plural(cut, 'row') if cut else 'none'} "
               f"{'loses' if cut <= 1 else 'lose'} an end."
               + (f" Shown are {MOST_EXAMPLES} of {captions.plural(len(found), 'label')}."
                  if len(found) > MOST_EXAMPLES else ""))


def schema(task: Task, by: By) -> None:
    """What the model reads where there is no row to show."""
    parts = [task.prefix(by.prefix), *(f"{name}: …" for name in task.field_names(by.prefix))]
    answers = f"{task.labels[0]} to {task.labels[-1]}" if task.numeric else " or ".join(task.words(by.prefix)[:6])
    st.code(f"{' '.join(parts)}  →  {answers}", language=None, wrap_lines=True)


def doubtful(found: Sequence[str]) -> None:
    """What is wrong or doubtful, a sentence each."""
    if not found:
        st.markdown(":material/check: Nothing looks wrong.")
        return
    st.markdown("\n".join(f"- {captions.literal(one)}" for one in found[:MOST_DOUBTS]))
    if len(found) > MOST_DOUBTS:
        with st.expander(f"{len(found) - MOST_DOUBTS} more", key="more_doubts"):
            st.markdown("\n".join(f"- {captions.literal(one)}" for one in found[MOST_DOUBTS:]))


def doubts_of(data: TaskData, by: By) -> list[str]:
    """What to change or to know before training on the rows."""
    try:
        with st.spinner("Looking for what is doubtful in the rows …"):
            return doubts(data, by.files, by.shots, by.prefix, by.max_tokens)
    except ComptError as error:
        return [str(error)]
