"""What a visitor looks at, as functions: ids in the URL (?exp=, ?run=) first, the session's memory second.

A page is a function of the ids in its URL. The session keeps ids only, so that changing the page
keeps the experiment; everything else is read from the store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import streamlit as st

from compt_core.errors import Damaged, StoreError, UnknownId, quoted
from compt_core.runs.record import ExperimentRecord, RunRecord
from compt_core.runs.store import Store

EXPERIMENT, RUN = "exp", "run"
_REMEMBERED, _LAST, _COMPLAINT, _DONE = "remembered_experiment", "last_choices", "complaint", "done"
_ID = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_KIND = {EXPERIMENT: "experiment", RUN: "run"}
_A = {EXPERIMENT: "an experiment", RUN: "a run"}
_LISTED = 8  # names in a sentence

Record = TypeVar("Record")


class Name(str):
    """A name in the address, declared where it is read: in ``app/PAGE/names.py``, or in app.ui.names for several pages.

    words   what it stands for, as in "This link names the WORDS 'x'"
    of_one  whether its values belong to one run or one cell: the next experiment does not start with them
    """

    words: str
    of_one: bool

    def __new__(cls, name: str, words: str, of_one: bool = False) -> Name:
        made = super().__new__(cls, name)
        made.words, made.of_one = words, of_one
        return made

    def __getnewargs__(self) -> tuple[str, str, bool]:  # type: ignore[override]  # copies keep what was declared
        return str(self), self.words, self.of_one


def read_id(name: str) -> str | None:
    """The id under ``?name=``, or None without one. Raises StoreError for text that cannot be an id."""
    text = str(st.query_params.get(name, "")).strip()
    if text and not _ID.fullmatch(text):
        raise StoreError(f"This link does not name {_A[name]}: ids are made of letters, digits, '-', '_' and '.'.")
    return text or None


def open_experiment(store: Store) -> ExperimentRecord | None:
    """The experiment of this page, written back into the URL; None when the store holds none.

    ``?exp=``, else the experiment of ``?run=``, else the one looked at last in this session, else
    the newest. Raises StoreError when the link names something that the store does not hold.
    """
    wanted, run = read_id(EXPERIMENT), read_id(RUN)
    if wanted is None and run is not None:
        wanted = _looked_up(store.run, RUN, run).experiment
    if wanted is not None:
        return _show(_looked_up(store.experiment, EXPERIMENT, wanted))
    remembered = st.session_state.get(_REMEMBERED)
    latest = store.experiments(limit=1)
    if remembered:
        try:
            return _show(store.experiment(remembered))
        except (UnknownId, Damaged):  # deleted since, or the home folder changed
            del st.session_state[_REMEMBERED]
    return _show(latest[0]) if latest else None


def open_run(runs: Sequence[RunRecord]) -> RunRecord:
    """The run under ``?run=`` among `runs` (not empty), else the first; written back into the URL.

    Raises StoreError when the link names another one.
    """
    wanted = read_id(RUN)
    found = next((run for run in runs if run.id == wanted), None if wanted else runs[0])
    if found is None:
        raise StoreError(f"This link names the run '{wanted}', which has nothing to show here: it belongs to "
                         "another experiment, is unfinished, or has a method that this page does not show.")
    st.query_params[RUN] = found.id
    return found


def go_to_experiment(widget_key: str) -> None:
    """Callback of the experiment picker: its choice becomes the URL's, and all else that stood there goes."""
    st.query_params.from_dict({EXPERIMENT: st.session_state[widget_key]})


def go_to_run(widget_key: str) -> None:
    """Callback of a run picker: its choice becomes the URL's."""
    st.query_params[RUN] = st.session_state[widget_key]


def forget() -> None:
    """Drop everything from the URL, and all choices from the session: the way out of a wrong link."""
    st.session_state.pop(_REMEMBERED, None)
    st.session_state.pop(_LAST, None)
    st.query_params.clear()


def complain(error: Exception) -> None:
    """Remembers what a click came to, for the page that is drawn after it."""
    st.session_state[_COMPLAINT] = str(error)


def complaint() -> str | None:
    """What the last click came to, once."""
    return _once(_COMPLAINT)


def tell(done: str) -> None:
    """Remembers what a click did, for the page that is drawn after it."""
    st.session_state[_DONE] = done


def told() -> str | None:
    """What the last click did, once."""
    return _once(_DONE)


def _once(name: str) -> str | None:
    found = st.session_state.pop(name, None)
    return None if found is None else str(found)


def open_choice(name: Name, allowed: Sequence[str]) -> str:
    """Which of `allowed` (ids, not empty) a part of a view shows: the URL's under ``?name=``, else the one looked at
    last in this session where this experiment has it, else the first; anything but the first is written into the URL.

    Raises StoreError when the link names another one, unless the dashboard itself wrote it there, for another run say.
    """
    wanted, last = st.query_params.get(name), _last(name)
    if wanted is None:
        wanted = last if last in allowed and not name.of_one else allowed[0]
    elif wanted not in allowed and wanted == last:
        wanted = allowed[0]
    elif wanted not in allowed:
        raise StoreError(f"This link names the {name.words} {quoted(wanted)}, which this experiment does not have. "
                         f"It has: {listed_briefly(allowed)}.")
    return _keep(name, str(wanted), allowed[0])


def open_several(name: Name, allowed: Sequence[str]) -> list[str]:
    """As :func:`open_choice`, for any of `allowed`, separated by commas in the URL; all of them without it."""
    last = _last(name) or ""
    wanted = str(st.query_params.get(name, last))
    named = [part.strip() for part in wanted.split(",")]
    unknown = [one for one in named if one and one not in allowed]
    if unknown and wanted != last:
        raise StoreError(f"This link names the {name.words} {quoted(unknown[0])}, which this experiment does not "
                         f"have. It has: {listed_briefly(allowed)}.")
    chosen = [one for one in allowed if one in named] or list(allowed)
    _keep(name, ",".join(chosen), ",".join(allowed))
    return chosen


def go_to_several(name: Name, allowed: Sequence[str]) -> None:
    """Callback of a control with several choices, whose key is `name`; none chosen means all."""
    _keep(name, ",".join(st.session_state[name] or allowed), ",".join(allowed))


def join_several(name: Name, one: str) -> None:
    """Adds `one`, which has just come to be, to what a control with several choices shows; all without a choice do."""
    chosen = str(st.query_params.get(name, "")).split(",")
    if chosen != [""] and one not in chosen:
        _keep(name, ",".join([*chosen, one]), "")


def go_to_choice(name: Name, first: str) -> None:
    """Callback of a control of the view, whose key is `name`: its choice becomes the URL's and the session's."""
    _keep(name, st.session_state[name] or first, first)


def choose(choices: Mapping[Name, str]) -> None:
    """Several choices at once (name -> chosen), as a click on a cell makes them: the URL's and the session's."""
    for name, chosen in choices.items():
        _keep(name, chosen, "")


def listed_briefly(names: Sequence[str]) -> str:
    """The first few of many names."""
    return ", ".join(names) if len(names) <= _LISTED else f"{', '.join(names[:_LISTED])} … ({len(names)} in all)"


def _keep(name: Name, chosen: str, first: str) -> str:
    st.session_state[_LAST] = {**st.session_state.get(_LAST, {}), name: chosen}
    if chosen == first:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = chosen
    return chosen


def _last(name: Name) -> str | None:
    """What was chosen last in this session."""
    last: Mapping[str, str] = st.session_state.get(_LAST, {})
    return last.get(name)


def launched(form: str, pressed: bool) -> dict[str, str]:
    """What this drawing of a form has queued already: settings -> experiment id, for :func:`once`.

    A double click presses a button twice on one drawing; drawing the form anew (no press) forgets, so that the
    same settings can be launched again on purpose.
    """
    name = f"launched_{form}"
    if not pressed or name not in st.session_state:
        st.session_state[name] = {}
    queued: dict[str, str] = st.session_state[name]
    return queued


def once(queued: dict[str, str], settings: str, submit: Callable[[], str]) -> str:
    """The experiment id under `settings`, submitted only if nothing was queued for them.

    `queued` is changed in place: a second click ends the script at its next call into Streamlit, of which writing
    to the session is one, and the id must be remembered by then.
    """
    if settings not in queued:
        queued[settings] = submit()
    return queued[settings]


def _show(experiment: ExperimentRecord) -> ExperimentRecord:
    st.session_state[_REMEMBERED] = experiment.id
    st.query_params[EXPERIMENT] = experiment.id
    return experiment


def _looked_up(look_up: Callable[[str], Record], name: str, wanted: str) -> Record:
    try:
        return look_up(wanted)
    except UnknownId:
        raise StoreError(f"This link names the {_KIND[name]} '{wanted}', which this store does not hold.") from None
