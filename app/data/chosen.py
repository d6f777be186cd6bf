"""What a person has chosen for a task of their own: kept in the session, filled from a table, read as a Draft.

The session holds the upload, each column's role, and one value per widget. All of it is there before the first widget
is drawn, and a change of one column keeps what was typed for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
import yaml

from app.data import reading, unfinished
from app.data.drafting import DETAILS, LABEL, MOST_TEXTS, NOT_USED, Draft, in_order, suggested
from app.data.reading import Upload
from app.data.unfinished import Unfinished
from app.ui import uploads
from app.ui.uploads import File
from compt_core.errors import DataError
from compt_core.tasks import own
from compt_core.tasks.definition import MOST_LABELS, written
from compt_core.tasks.infer import Role, infer, words_for
from compt_core.tasks.labels import label_counts
from compt_core.tasks.spec import Task

UPLOAD, EDITS, ROLES, SAID, REST = "own.upload", "own.edits", "own.roles", "own.said", "own.rest"
_ID, _SEEN = "own.draft", "own.seen"  # of the draft that these choices are kept as
WORDS, NUMBERS = "words", "numbers"
_REST = ("native_prefix", "question")  # lines of a definition without a field here


def key(*names: str) -> str:
    """Session key of a widget."""
    return ".".join(("own", *names))


def upload() -> Upload | None:
    """The tables that the task is made of."""
    found: Upload | None = st.session_state.get(UPLOAD)
    return found


def edits() -> str:
    """The kept task that is being changed; "" for a new one."""
    return str(st.session_state.get(EDITS, ""))


def forget() -> None:
    """Leaves the upload and all that was chosen for it; its draft stays."""
    for name in [name for name in st.session_state if str(name).startswith("own.")]:
        del st.session_state[name]


def heading(given: Upload) -> str:
    """What the table is called: by the visitor's own file, or by the kept task that is being changed."""
    return str(st.session_state.get(key("title")) or "").strip() or edits() if edits() else given.names["train"]


def remember() -> str:
    """Keeps what is chosen as a draft, where it changed; the draft's id. Raises DataError."""
    given = upload()
    if given is None:
        return ""
    draft = Unfinished(given, {str(name): value for name, value in st.session_state.items()
                               if str(name).startswith("own.") and name not in (UPLOAD, _ID, _SEEN)
                               and not str(name).startswith(key("role", ""))})
    identity, seen = st.session_state.get(_ID, ""), st.session_state.get(_SEEN, "")
    if draft.written() != seen:
        st.session_state[_ID] = unfinished.write(draft, identity, seen)
        st.session_state[_SEEN] = draft.written()
    return str(st.session_state[_ID])


def reopen(identity: str) -> None:
    """Goes on with a draft. Raises DataError, also where its files are gone; then nothing is changed."""
    draft = unfinished.read(identity)
    columns = draft.upload.table().columns
    if set(draft.values.get(ROLES, ())) != set(columns):
        raise DataError("The draft that this link names does not go with its table. Upload the table again.")
    forget()
    st.session_state.update({name: value for name, value in draft.values.items() if name.startswith("own.")})
    st.session_state.update({UPLOAD: draft.upload, _ID: identity, _SEEN: draft.written()})


def drop() -> None:
    """Drops the upload, all that was chosen for it, and its draft."""
    if identity := st.session_state.get(_ID):
        unfinished.drop(identity, st.session_state.get(_SEEN, ""))
    forget()


def fill(given: Upload, task: Task | None = None) -> None:
    """Chooses everything for an upload: as `task` has it, or as the table looks; what the same columns had, stays."""
    table = given.table()
    columns = list(table.columns)
    same = task is None and list(roles()) == columns
    st.session_state[UPLOAD] = given
    if same:
        return
    st.session_state[EDITS], st.session_state[SAID] = task.name if task else "", ()
    if task is None:
        try:
            guess = infer("task", table, also=given.table("dev") if "dev" in given.files else None)
            task, st.session_state[SAID] = guess.task, tuple(map(given.said, guess.said[1:]))
        except DataError as error:
            st.session_state[SAID] = (given.said(str(error)),)
    found = dict.fromkeys(columns, NOT_USED)
    if task is not None:
        texts = task.columns if edits() else task.columns[:MOST_TEXTS]
        found |= {column: f"text {number}" for number, column in enumerate(texts, 1)} | {task.label_column: LABEL}
        if len(texts) < len(task.columns):
            st.session_state[SAID] += (f"Of {len(task.columns)} columns with texts the first {MOST_TEXTS} are chosen: "
                                       "a task that is made here has no more.",)
    st.session_state[ROLES] = {column: found[column] for column in columns}
    _fill_fields(given, task)


def _fill_fields(given: Upload, task: Task | None) -> None:
    """One value for every widget."""
    about = yaml.safe_load(written(task)) if task else {}
    st.session_state[REST] = {name: about[name] for name in _REST if name in about}
    for name in DETAILS:
        st.session_state[key(name)] = str(about.get(name, "")) if edits() else ""
    st.session_state[key("name")] = edits() or suggested(given.names["train"], own.known())
    split = task.files if task and task.files else None
    st.session_state[key("share")], st.session_state[key("seed")] = (split.share, split.seed) if split else (0.2, 0)
    st.session_state[key("metrics")] = list(task.metrics) if task else []
    st.session_state[key("positive")] = str(about.get("positive", ""))
    if task is None:
        return
    for column, word in zip(task.columns, task.fields or task.columns, strict=True):
        st.session_state[key("before", column)] = word
    _fill_answers(task)
    for label in task.left_out:
        st.session_state[key("word", task.label_column, label)] = ""


def _fill_answers(task: Task) -> None:
    """The words of the labels of a task, or its numbers."""
    st.session_state[key("kind")] = NUMBERS if task.numeric else WORDS
    if task.numeric:
        for name, value in zip(("low", "high", "step"), (float(task.labels[0]), float(task.labels[-1]), task.step),
                               strict=True):
            st.session_state[key(name)] = round(value, 6)
    else:
        for label, word in zip(task.written_labels, task.labels, strict=True):
            st.session_state[key("word", task.label_column, label)] = word


def roles() -> dict[str, str]:
    """Column -> its role."""
    found: dict[str, str] = st.session_state.get(ROLES, {})
    return found


def label_column() -> str:
    """The column with the answers; "" for none."""
    return next((column for column, role in roles().items() if role == LABEL), "")


def changed_label() -> None:
    """After another column became the label: whether it holds words or numbers, guessed again."""
    given, label = upload(), label_column()
    if given is None or not label:
        return
    st.session_state[key("metrics")] = []
    known: dict[str, Role] = {column: "label" if column == label else "text" for column in roles()}
    try:
        task = infer("task", given.table(), roles=known).task
    except DataError:  # the labels say what is wrong
        st.session_state[key("kind")] = WORDS
        return
    for name in ("low", "high", "step"):
        st.session_state.pop(key(name), None)
    st.session_state[key("kind")] = NUMBERS if task.numeric else WORDS
    if task.numeric:
        _fill_answers(task)


def before(column: str) -> str:
    """The word before a text: what was typed, or the column's own name."""
    return str(st.session_state.setdefault(key("before", column), column[:200]) or "").strip()


def some_texts() -> list[str]:
    """The texts of the first rows."""
    given = upload()
    return [str(cell) for column in in_order(roles()) for cell in given.table().columns[column][:50]] if given else []


def counts(given: Upload) -> dict[str, int]:
    """The labels in all its tables -> their rows. Raises DataError."""
    return label_counts([given.table(split) for split in given.files], label_column()) if label_column() else {}


def words(labels: Mapping[str, int]) -> dict[str, str]:
    """Label -> its word: what was typed, or the label itself."""
    column = label_column()
    return {label: str(st.session_state.setdefault(key("word", column, label), word[:200]) or "").strip()
            for label, word in zip(labels, words_for(list(labels)), strict=True)}


def numbers(labels: Mapping[str, int]) -> tuple[float | None, float | None, float | None] | None:
    """(from, to, step), where the labels are taken for numbers."""
    if st.session_state.get(key("kind")) != NUMBERS or (labels and not all_numbers(labels)):  # of other files before
        return None
    found = [_float(label) for label in labels]
    values = [one for one in found if one is not None] or [0.0, 1.0]
    first = {"low": min(values), "high": max(values), "step": max((max(values) - min(values)) / 20, 0.01)}
    low, high, step = (st.session_state.setdefault(key(name), round(value, 6)) for name, value in first.items())
    return low, high, step


def all_numbers(labels: Mapping[str, int]) -> bool:
    """Whether every label is a number, so that the person may choose how to take them."""
    return bool(labels) and all(_float(label) is not None for label in labels)


def _float(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None


def draft(given: Upload, labels: Mapping[str, int]) -> Draft:
    """All that was chosen."""
    def text(name: str) -> str:
        return str(st.session_state.get(key(name)) or "").strip()

    as_numbers = numbers(labels)
    as_words = words(labels) if len(labels) <= MOST_LABELS else dict.fromkeys(labels, "")
    return Draft(
        name=text("name"), texts={column: before(column) or column for column in in_order(roles())},
        label=label_column(), words={} if as_numbers else as_words, files=given.files, numbers=as_numbers,
        share=st.session_state.get(key("share")), seed=st.session_state.get(key("seed")),
        metrics=st.session_state.get(key("metrics")) or (), positive=text("positive"),
        details={name: text(name) for name in DETAILS}, rest=st.session_state.get(REST, {}))


def edit(task: Task, files: Mapping[str, bytes]) -> None:
    """Begins to change a kept task: its files become the upload. Raises DataError."""
    assert task.files is not None
    if len(files) > 1 + bool(task.files.dev):
        raise DataError(f"The rows of task '{task.name}' are in files of several parts, which cannot be changed here. "
                        "Download the task, change its task.yaml, and keep it with 'python -m compt_core task keep'.")
    forget()
    named = {"train": task.files.train, **({"dev": task.files.dev} if task.files.dev else {})}
    fill(reading.take({split: File(name.rpartition(".")[2].lower(), files[name]) for split, name in named.items()},
                      named), task)


def take(sent: Mapping[str, Any]) -> None:
    """Takes files that a browser sent, by split, and fills what is not chosen yet. Raises DataError."""
    files = {split: uploads.checked(one.name, one.getvalue(), uploads.OF_TABLES) for split, one in sent.items()}
    called = {split: one.name for split, one in sent.items()}
    if "train" not in files and (before := upload()):  # the browser may have forgotten it, the session has not
        name = before.files["train"]
        files["train"], called["train"] = File(name.rpartition(".")[2], before.contents()[name]), before.names["train"]
    if "train" in files:
        fill(reading.take({split: files[split] for split in sorted(files, reverse=True)}, called))
