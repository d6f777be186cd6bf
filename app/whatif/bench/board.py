"""The sentence bench: one text under all prompts of its task, side by side, and three ways to look closer."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.show import captions, charts, columns
from app.show.captions import literal, plural
from app.ui import components, controls
from app.whatif.bench import edits, leaving, picking, sentence, side
from app.whatif.bench.prompts import EDITED, EditedPrompt
from app.whatif.bench.prompts import side as beside
from app.whatif.bench.reader import Reader
from app.whatif.bench.sentence import Sentence
from app.whatif.names import LENS
from compt_core.analysis.answers import scored_rows
from compt_core.errors import ComptError, DataError
from compt_core.language.grammar import check_words
from compt_core.runs.record import ExperimentRecord, RunRecord
from compt_core.tasks.spec import Row
from compt_core.whatif.answer import Answer, worded
from compt_core.whatif.variants import without_each

EDITS, WORDS, NEAREST = "edits", "words", "nearest"
_LENSES = {EDITS: "edit it", WORDS: "leave a word out", NEAREST: "nearest training rows"}
_NEIGHBOURS = 5
_LONG = 1200  # characters of a text that are shown


def view(experiment: ExperimentRecord, runs: Sequence[RunRecord], run: RunRecord,
         edited: EditedPrompt | None = None) -> None:
    """The whole bench for a completed run of an experiment whose `runs` are given.

    `edited` gives the composed prompt [L, H] of a task if an edit changes it, else None. Raises StoreError for a link
    that names something that does not exist; any other obstacle is reported here.
    """
    known = list(run.tasks.only(run.config["tasks"]))
    if not known:
        st.info("The store has no definitions of this run's tasks, so no text can be read.", icon=":material/info:")
        return
    name = picking.task_control(known)
    task = run.tasks[name]
    try:
        reader = Reader(run, task, beside(experiment.variants, runs, run, name, edited))
    except ComptError as error:
        st.info(literal(f"This run cannot read texts: {error}"), icon=":material/info:")
        return
    rows = _rows(run, name)
    now = sentence.chosen(task, rows)
    if rows and now is not None:
        picking.row_controls(reader, runs, rows, now)
    edits.typing(run, task, now)
    if now is None:
        st.markdown("Type a text to see the answers.")
        return
    with st.spinner("Reading the text with every prompt …", show_time=False):
        found = {name: one[0] for name, one in reader.answers([now.texts]).items()}
    _text(reader, now)
    _side_by_side(reader, found, now)
    lens = controls.choice(LENS, "Look closer", list(_LENSES), "Each choice is about the text above.", names=_LENSES)
    {EDITS: _edits, WORDS: _words, NEAREST: _nearest}[lens](reader, now)


def _rows(run: RunRecord, task: str) -> Sequence[Row]:
    try:
        return scored_rows(run, task)
    except DataError as error:
        st.info(literal(f"The dev rows of '{task}' cannot be shown, but you can type a text: {error}"),
                icon=":material/info:")
        return ()


def _text(reader: Reader, now: Sentence) -> None:
    """The text itself, what was changed or cut, and which words the model does not know."""
    task = reader.task
    with st.container(border=True):
        for name, text in zip(task.columns, now.texts, strict=True):
            shown = text if len(text) <= _LONG else f"{text[:_LONG]} … ({plural(len(text), 'character')} in all)"
            st.markdown(f"**{literal(name)}**: {literal(shown)}")
        notes = list(now.notes)
        if reader.cut(now.texts):
            notes.append(f"Text beyond the run's max_tokens of {reader.config.max_tokens} is not read.")
        if task.bundled and reader.config.backbone == "demo":
            try:
                check_words(" ".join(now.texts))
            except DataError as error:
                notes.append(f"{error} All unknown words look alike to the model.")
        st.caption(" ".join([f"{now.origin.capitalize()}.", *map(literal, notes)]))


def _side_by_side(reader: Reader, found: dict[str, Answer], now: Sentence) -> None:
    lines = side.words(reader.task, reader.side, found, now.gold, now.row is None)
    drawn = side.figure(reader.task, reader.side, found, now.gold)
    st.plotly_chart(drawn, width="stretch", key="bench_side", config=charts.PLOTLY_CONFIG, alt=captions.plain(lines))
    notes = [f"Left out: {literal(one)}" for one in reader.side.missing]
    if reader.config.scoring == "generate":
        notes.append("These runs are scored by the text they write, so there are no probabilities: a label is written "
                     "or it is not.")
    if reader.task.numeric:
        notes.append(f"▼ marks the expected number{'' if now.gold is None else ', the dashed line the right one'}.")
    components.findings(lines, [*notes, side.NOTHING_PROVED])
    with st.expander("The numbers as a table", icon=":material/table:", key="bench_numbers"):
        frame = side.table(reader.task, reader.side, found, now.gold)
        st.dataframe(frame, hide_index=True, placeholder="", alt="Every number of the figure", key="bench_table",
                     column_config=side.formats(frame))


def _edits(reader: Reader, now: Sentence) -> None:
    edits.replacing(reader.run, reader.task, now)
    edits.listing(reader, now)


def _words(reader: Reader, now: Sentence) -> None:
    left = without_each(now.texts)
    if not left:
        st.markdown("This text has no word to leave out.")
        return
    names = reader.side.own
    with st.spinner("Reading the text without each word …", show_time=False):
        given = reader.answers([now.texts, *(texts for _, _, texts in left)], names)
    name = EDITED if EDITED in names else reader.side.opened
    whole, *others = given[name]
    frame = leaving.table(reader.task, whole, left, others)
    lines = leaving.reading(reader.task, whole, frame, now.texts)
    what = leaving.measured(reader.task, whole)
    st.markdown(f"What happens under **{literal(reader.side.called(name))}** when each word is left out in turn:")
    st.plotly_chart(leaving.figure(frame, what), width="stretch", key="bench_words", config=charts.PLOTLY_CONFIG,
                    alt=captions.plain(lines))
    components.findings(lines, ["A bar down means that the word speaks for the answer; ⇄ means that the answer changes "
                                "without it. The text without a word is often not a proper sentence, so this says more "
                                "about the run than about the language."])
    if EDITED in names:
        trained = leaving.table(reader.task, given[reader.side.opened][0], left, given[reader.side.opened][1:])
        frame = frame.assign(**{"change, as trained": trained["change"], "without it, as trained":
                                trained["answer without it"]})
    with st.expander("The numbers as a table", icon=":material/table:", key="bench_word_numbers"):
        st.dataframe(frame, hide_index=True, placeholder="", alt="The change when each word is left out",
                     key="bench_word_table", column_config=side.formats(frame))


def _nearest(reader: Reader, now: Sentence) -> None:
    try:
        near, shots = reader.nearest(now.texts, _NEIGHBOURS)
    except ComptError as error:
        st.info(literal(f"The training rows cannot be shown: {error}"), icon=":material/info:")
        return
    task = reader.task
    found = [{"cosine": one.cosine, "label": worded(task, one.row.value), "in common": len(one.shared),
              "words": ", ".join(one.shared)} for one in near]
    frame = pd.DataFrame([row | columns.beside(row, task.columns, one.row.texts)
                          for row, one in zip(found, near, strict=True)])
    alike = sum(one.row.value == now.gold for one in near)
    lines = [f"The run was trained on {plural(shots, 'row')} of this task. The nearest one has the label "
             f"“{literal(worded(task, near[0].row.value))}” (cosine {near[0].cosine:.3f}, "
             f"{plural(len(near[0].shared), 'word')} in common)."]
    if now.gold is not None and not task.numeric:
        lines.append(f"{alike} of the {plural(len(near), 'nearest row')} {'has' if alike == 1 else 'have'} this text's "
                     "right answer.")
    st.dataframe(frame, hide_index=True, placeholder="", alt=captions.plain(lines), key="bench_near",
                 column_config=side.formats(frame))
    components.findings(lines, ["The cosine compares the frozen encoder's mean states over all tokens of an input "
                                "except the prompt's. Both inputs are read with this run's prompt as trained. All "
                                "inputs of a task share their prefix and field names, so every cosine is high and only "
                                "the order matters. A near row need not be the reason for the answer. Words in common: "
                                "those found in the fewest training rows come first."])


