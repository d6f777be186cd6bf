"""Counterfactual edits: a word replaced or the text typed again, and the list of all variants with their parents."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.show import columns, exports
from app.show.captions import literal, plural
from app.show.mistakes import FAR
from app.ui import state
from app.whatif.bench import sentence, side
from app.whatif.bench.prompts import EDITED
from app.whatif.bench.reader import Reader
from app.whatif.bench.sentence import Sentence
from compt_core.errors import ComptError, StoreError
from compt_core.runs.record import RunRecord
from compt_core.tasks.spec import Task
from compt_core.whatif.answer import Answer, moved, worded
from compt_core.whatif.texts import LONGEST, alike, brief, certified, replaced, words
from compt_core.whatif.variants import MOST, Variant, find, grown

_KEPT, _LISTS = "bench_variants", 20  # in the session: lists by run and task, at most this many
_WORD, _BY, _ALIKE, _VARIANT = "bench_word", "bench_by", "bench_alike", "bench_variant"


def variants(run: RunRecord, task: Task) -> tuple[Variant, ...]:
    """This session's list for a run and a task."""
    found: tuple[Variant, ...] = st.session_state.setdefault(_KEPT, {}).get((run.id, task.name), ())
    return found


def typing(run: RunRecord, task: Task, now: Sentence | None) -> None:
    """Fields to type a text in: a new text, or an edit of the text on the bench."""
    before = now.texts if now else ("",) * len(task.columns)
    stamp = zlib.crc32(repr((task.name, before)).encode())  # another text gets new fields, without what was typed
    keys = [f"bench_type_{stamp}_{name}" for name in task.columns]
    with st.expander("Type a text", icon=":material/keyboard:", expanded=now is None), \
            st.form(f"bench_typing_{stamp}", border=False):
        for name, text, key in zip(task.columns, before, keys, strict=True):
            st.text_area(literal(name), text, key=key, height=72,
                         help=f"At most {LONGEST:,} characters; the rest is cut.")
        with st.container(horizontal=True):
            given = (run, task, now, keys)
            st.form_submit_button("Read this text", on_click=_type, args=(*given, False), key="bench_read",
                                  type="primary", help="Reads it as a new text.")
            st.form_submit_button("Keep it as an edit", on_click=_type, args=(*given, True), key="bench_keep",
                                  disabled=now is None, help="Adds it to the list of edits of the text above.")


def replacing(run: RunRecord, task: Task, now: Sentence) -> None:
    """One word of the text, and the word to replace it."""
    found = words(now.texts)
    if not found:
        return
    several = len(task.columns) > 1
    lines = [(f"{task.columns[word.text]} · " if several else "") + f"{word.number} · {brief(word.written)}"
             for word in found]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = next((i for i, word in enumerate(found) if alike(task, word.written)), 0)
        chosen = st.selectbox("Word", range(len(found)), first, format_func=lambda i: lines[i], width=260,
                              key=f"{_WORD}_{zlib.crc32(repr(now.texts).encode())}")
        suggested = alike(task, found[chosen].written)
        if suggested:
            key = f"{_ALIKE}_{suggested[0]}_{len(suggested)}"
            st.selectbox("Words of its kind", suggested, index=None, key=key, placeholder="choose one", width=200,
                         on_change=_suggest, args=(key,), help="Words of the demo language that can stand here.")
        st.text_input("Replace it by", key=_BY, max_chars=100, width=220, help="Leave this empty to drop the word.")
        st.button("Replace", on_click=_replace, args=(run, task, now, chosen), key="bench_replace",
                  icon=":material/edit:")


def listing(reader: Reader, now: Sentence) -> None:
    """All variants: what changed, the answer, and how much it moved from the parent's."""
    found = variants(reader.run, reader.task)
    if not found:
        st.markdown("No edits yet. Replace a word above, or type the text again and keep it as an edit. Each variant "
                    "is listed here with the one it was made from.")
        return
    frame = table(reader, found)
    st.dataframe(frame, hide_index=True, placeholder="", key="bench_list_of_edits", alt=_alt(frame),
                 column_config=side.formats(frame))
    on_bench = find(found, now.texts)
    lines = {one.number: f"{one.number} · {brief(one.change, 80)}" for one in found}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state[_VARIANT] = on_bench.number if on_bench else None
        st.selectbox("Variant on the bench", list(lines), key=_VARIANT, format_func=lambda number: lines[number],
                     on_change=_look_at, args=(reader.task, found), placeholder="choose one", width=420)
        st.download_button("CSV", exports.table(frame), f"edits-{reader.run.id}-{reader.task.name}.csv", "text/csv",
                           icon=":material/download:", key="bench_csv", on_click="ignore",
                           help="The list, with all digits.")
        st.button("Clear the list", on_click=_clear, args=(reader.run, reader.task), key="bench_clear",
                  icon=":material/delete:")
    change = f"of the expected number; ⇄ marks answers that are {FAR:g} or more away" if reader.task.numeric else \
        "in the probability of the answer before the edit; ⇄ marks a different answer"
    st.markdown(f"{plural(len(found), 'variant')} of at most {MOST}, kept for this visit, run and task. The table "
                f"shows the change {change}. Edits of one text prove nothing about other texts.")


def table(reader: Reader, found: Sequence[Variant]) -> pd.DataFrame:
    """A row per variant; the edited prompt has columns only if there is one."""
    task, names = reader.task, reader.side.own
    given = reader.answers([one.texts for one in found], names)
    known = [certified(task, one.texts) for one in found]
    rows = []
    for one, gold in zip(found, known, strict=True):
        row: dict[str, object] = {"variant": one.number, "made from": "" if one.parent is None else str(one.parent),
                                  "what changed": one.change}
        for name in names:
            row |= _columns(task, given[name], one, " (edited)" if name == EDITED else "")
        if any(value is not None for value in known):
            row["right answer"] = "" if gold is None else worded(task, gold)
        rows.append(row | columns.beside(row, task.columns, one.texts))
    return pd.DataFrame(rows)


def _columns(task: Task, given: Sequence[Answer], one: Variant, suffix: str) -> dict[str, object]:
    own = given[one.number]
    parent = None if one.parent is None else given[one.parent]
    flip = parent is not None and side.flipped(task, parent, own)
    measured, value = ("expected", own.expected) if task.numeric else ("probability", own.confidence)
    return {f"answer{suffix}": f"{'⇄ ' if flip else ''}{worded(task, own.predicted)}",
            f"{measured}{suffix}": value,
            f"change{suffix}": math.nan if parent is None else moved(task, parent, own)}


def _alt(frame: pd.DataFrame) -> str:
    flips = int(frame["answer"].str.contains("⇄").sum())
    return (f"{plural(len(frame), 'variant')} of the text and what changed in each; {flips} got a different answer "
            "from the variant it was made from")


def keep(run: RunRecord, task: Task, before: Sentence, after: Sequence[str]) -> None:
    """Callback: adds an edit of the text on the bench to the list and lays it on the bench."""
    try:
        texts, notes = sentence.cleaned(task, after)
        if texts == before.texts:
            raise StoreError("The edit must change the text. Got the same text instead; type another word.")
        found = grown(variants(run, task), before.texts, before.row, texts, task.columns)
    except ComptError as error:
        state.complain(error)
        return
    lists = st.session_state[_KEPT]
    lists.pop((run.id, task.name), None)
    lists[run.id, task.name] = found  # the list that changed last comes last
    while len(lists) > _LISTS:
        lists.pop(next(iter(lists)))
    one = find(found, texts)
    sentence.put(task, texts, one.row if one else None, notes)


def _type(run: RunRecord, task: Task, now: Sentence | None, keys: Sequence[str], as_edit: bool) -> None:
    given = [str(st.session_state[key]) for key in keys]
    if as_edit and now is not None:
        keep(run, task, now, given)
        return
    try:
        texts, notes = sentence.cleaned(task, given)
    except ComptError as error:
        state.complain(error)
    else:
        sentence.put(task, texts, notes=notes)


def _suggest(key: str) -> None:
    st.session_state[_BY] = st.session_state[key] or ""


def _replace(run: RunRecord, task: Task, now: Sentence, number: int) -> None:
    by = str(st.session_state.get(_BY, ""))
    st.session_state[_BY] = ""
    keep(run, task, now, replaced(now.texts, words(now.texts)[number], " ".join(by.split())))


def _look_at(task: Task, found: Sequence[Variant]) -> None:
    if (number := st.session_state[_VARIANT]) is not None:
        sentence.put(task, found[number].texts, found[number].row)


def _clear(run: RunRecord, task: Task) -> None:
    st.session_state.get(_KEPT, {}).pop((run.id, task.name), None)
