"""The uploaded table, each column's role by a click, and the words of the labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.data import chosen, drafting
from app.data.by import By
from app.data.pieces import Reader
from app.data.reading import Upload
from app.show import captions
from compt_core.tasks.definition import MOST_LABELS
from compt_core.tasks.spec import Task

_KEEP: Any = "session"
FIRST_ROWS = 5
MOST_COLUMNS = 10  # with buttons; of a wider table more can be brought in
MOST_CHARACTERS = 200  # of a cell in the table
_NARROW = 130  # pixels of a column's name, and of the word before its text
_TALL = 9  # labels from which on their list scrolls


def problem(problems: Mapping[str, str], name: str) -> None:
    """What is wrong at a field, below it."""
    if name in problems:
        st.markdown(f":red[:material/error: {captions.literal(problems[name])}]")


def view(given: Upload, problems: Mapping[str, str]) -> None:
    """The first rows, and the roles."""
    table, roles = given.table(), chosen.roles()
    count = len(next(iter(table.columns.values())))
    st.markdown(f"**{captions.literal(chosen.heading(given))}**: {captions.plural(count, 'row')}, "
                f"{captions.plural(len(roles), 'column')}. What is each column?")
    used = [column for column, role in roles.items() if role != drafting.NOT_USED]
    listed = [column for column in roles if column in used or column in list(roles)[:MOST_COLUMNS]]
    if more := [column for column in roles if column not in listed]:
        listed += st.multiselect(f"{len(more)} more columns", more, key=chosen.key("more"), persist_state=_KEEP,
                                 placeholder="Choose those that you need")
    rows = [{column: str(table.columns[column][number])[:MOST_CHARACTERS] for column in listed}
            for number in range(min(FIRST_ROWS, count))]
    st.dataframe(rows, hide_index=True, alt=f"The first {captions.plural(len(rows), 'row')} of the table")
    for column in listed:
        _role(column, roles)
    problem(problems, "roles")
    for sentence in st.session_state.get(chosen.SAID, ()):
        st.caption(captions.literal(sentence))
    for note in [given.said(note) for split in given.files for note in given.table(split).notes]:
        st.caption(captions.literal(note))


def _role(column: str, roles: Mapping[str, str]) -> None:
    """A column's name, its role, and the word before it where it is a text."""
    widget = chosen.key("role", column)
    st.session_state[widget] = roles[column]  # the roles decide, not what the buttons remember
    with st.container(horizontal=True, vertical_alignment="center"):  # breaks where it is narrow
        st.markdown(f"**{captions.literal(column[:60].strip() or '(no name)')}**", width=_NARROW)
        st.segmented_control(f"What is {column[:60]}?", drafting.choices(roles), key=widget, on_change=_click,
                             args=(column,), label_visibility="collapsed", wrap=True)
        if roles[column].startswith("text "):
            chosen.before(column)
            st.text_input(f"Word before {column[:60]}", key=chosen.key("before", column), max_chars=200,
                          persist_state=_KEEP, label_visibility="collapsed", placeholder="word before it",
                          help="Stands in front of this text, with a colon.", width=_NARROW)


def _click(column: str) -> None:
    """Callback of a role: nobody else keeps it."""
    label = chosen.label_column()
    role = st.session_state[chosen.key("role", column)] or drafting.NOT_USED
    st.session_state[chosen.ROLES] = drafting.swapped(chosen.roles(), column, role)
    st.session_state[chosen.SAID] = ()
    if chosen.label_column() != label:
        chosen.changed_label()


def answers(given: Upload, labels: Mapping[str, int], by: By, problems: Mapping[str, str]) -> None:
    """The labels with their rows and words, or the range of the numbers."""
    st.markdown(f"**Answers** in the column {captions.literal(chosen.label_column())}")
    if chosen.all_numbers(labels):
        st.segmented_control("The labels are", [chosen.WORDS, chosen.NUMBERS], key=chosen.key("kind"), required=True,
                             persist_state=_KEEP, format_func={chosen.WORDS: "names of kinds",
                                                               chosen.NUMBERS: "numbers on a scale"}.__getitem__,
                             help="On a scale 3 lies between 2 and 4, and scores are correlations. As names, each "
                                  "label gets a word of its own.")
    if chosen.numbers(labels) is not None:
        texts = {"low": "From", "high": "To", "step": "Step"}
        for slot, (name, label) in zip(st.columns(3), texts.items(), strict=True):
            slot.number_input(label, value=None, key=chosen.key(name), persist_state=_KEEP, format="%g",
                              help="The model answers with one of the numbers from … to …, a step apart.")
        problem(problems, "numbers")
        return
    if labels and len(labels) <= MOST_LABELS:
        _words(labels, by)
    problem(problems, "labels")


def _words(labels: Mapping[str, int], by: By) -> None:
    words = chosen.words(labels)
    reader, wrong = by.reader(Task("task", "own", "", ("text",), ("a", "b")))
    with st.container(height=420 if len(labels) > _TALL else "content"):
        for label, count in labels.items():
            left, middle, right = st.columns([3, 4, 3], vertical_alignment="center")
            left.markdown(f"**{captions.literal(label[:60])}** · {captions.plural(count, 'row')}")
            middle.text_input(f"Word for {label[:60]}", key=chosen.key("word", chosen.label_column(), label),
                              max_chars=200, persist_state=_KEEP, label_visibility="collapsed",
                              placeholder="no word: its rows are left out")
            right.markdown(_said(words[label], reader))
    if empty := [label for label, word in words.items() if not word]:
        st.caption(f"Left out: {captions.plural(sum(labels[label] for label in empty), 'row')} with the label "
                   f"{captions.listed([captions.literal(label) for label in empty[:5]])}"
                   f"{' and others' if len(empty) > 5 else ''}.")
    if wrong:
        st.caption(captions.literal(wrong))


def _said(word: str, reader: Reader | None) -> str:
    """How many pieces a word takes; in red where it has none."""
    if not word:
        return ":small[left out]"
    if reader is None:
        return ""
    found = reader.word(word)
    if not found or any(piece.kind == "unknown" for piece in found):
        return ":red[:small[the backbone has no piece for it]]"
    return f":small[{captions.plural(len(found), 'piece')}: {captions.literal(' | '.join(one.text for one in found))}]"
