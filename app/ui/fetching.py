"""What a page may need from elsewhere, a backbone or rows: a button that fetches it, and words while it comes.

A thread of its own fetches, once for all visitors, and never touches a widget. A fragment of the page asks it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from app.show import captions
from compt_core.analysis.answers import lost_rows
from compt_core.backbone import english
from compt_core.errors import ComptError
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.tasks import selections
from compt_core.tasks.files import all_rows
from compt_core.tasks.table import TASKS

SECONDS = 1.0  # between two looks at the thread
_GONE = ("The rows of {} can no longer be read here, so its sentences are not shown and What-if cannot score "
         "it; scores, curves and prompts are all here.")
_CHANGED = ("The rows of {} are no longer those that these runs were scored on, so its sentences are not shown and "
            "What-if cannot score it until the earlier files are back; scores, curves and prompts are all here.")
Work = Callable[[Callable[[str], None]], object]


@dataclass(frozen=True)
class Thing:
    """Something to fetch.

    key      of its button
    name     in a sentence
    label    on the button
    help     where it comes from
    present  whether it is on this machine
    work     fetches it, and gets a function that tells how far it is; raises ComptError
    """

    key: str
    name: str
    label: str
    help: str
    present: Callable[[], bool]
    work: Work


BACKBONE = Thing("fetch_english", "the backbone 'english'", f"Fetch real English, {english.SIZE}", english.ORIGIN,
                 lambda: english.present(), lambda say: english.fetch(say))
ROWS = Thing("fetch_rows", "the rows of its tasks", "Fetch its rows from the datasets hub",
             "512 training rows and 300 dev rows of each of eight public data sets. Their texts have licences of their "
             "own, so they do not come with the project. The data sets are downloaded whole, some hundred MB in all.",
             lambda: selections.whole("english"),
             lambda say: selections.fetch("english", TASKS, lambda task: all_rows(task, None), say))


class Fetch:
    """A download by a thread: `words` say how far it is, and `problem` is a sentence once it has failed."""

    def __init__(self, work: Work):
        self.words, self.problem = "Starting …", ""
        self._work = work
        self._thread = threading.Thread(target=self._run, name="compt-fetch", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work(self._say)
        except ComptError as error:
            self.problem = str(error)
        except Exception as error:  # a bug keeps its traceback in the log of the server, and the visitor is told
            self.problem = f"The download failed: {type(error).__name__}. The terminal of the dashboard says more."
            raise

    def _say(self, words: str) -> None:
        self.words = words


_guard = threading.Lock()
_latest: dict[str, Fetch] = {}  # by the key of the thing


def begin(thing: Thing) -> None:
    """Callback of the button: fetches, unless that is under way."""
    with _guard:
        if thing.key not in _latest or not _latest[thing.key].running:
            _latest[thing.key] = Fetch(thing.work)
            _latest[thing.key].start()


def offer(thing: Thing, then: Callable[[], None] = lambda: None) -> None:
    """A button for what is not there, or how far its download is; `then` is called with a click."""
    latest = _latest.get(thing.key)
    if thing.present():
        return
    if latest and latest.running:
        st.fragment(_progress, run_every=SECONDS)(thing.key)
        return
    st.button(thing.label, icon=":material/download:", key=thing.key, on_click=partial(_clicked, thing, then),
              help=captions.literal(thing.help))
    if latest and latest.problem:
        st.markdown(f":red[:material/error: {captions.literal(latest.problem)}]")


def _clicked(thing: Thing, then: Callable[[], None]) -> None:
    then()
    begin(thing)


def _progress(key: str) -> None:
    """Says how far the download is, and reloads the page once it has ended."""
    if not _latest[key].running:
        st.rerun()
    st.caption(f":material/downloading: {captions.literal(_latest[key].words)}")


def rows_lost(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> list[str]:
    """What no longer works where the rows of an experiment's own tasks are gone or others; Markdown."""
    done = next((run for run in runs if run.state == State.COMPLETED), None)
    if done is None or not any(task.files or experiment.config["data_dir"] for task in experiment.tasks.values()):
        return []
    gone, changed = lost_rows(done)
    return [said.format(captions.listed([captions.literal(name) for name in names]))
            for names, said in ((gone, _GONE), (changed, _CHANGED)) if names]


def needed(config: Mapping[str, Any]) -> None:
    """For results whose backbone or rows are not on this machine: what that means, and buttons to fetch them."""
    lacking = [thing for thing, name in ((BACKBONE, config["backbone"]), (ROWS, config["data_dir"]))
               if name == english.ENGLISH and not thing.present()]
    if lacking:
        what = " and ".join(thing.name for thing in lacking)
        st.caption(f"Its scores, curves and prompts are all here. To read its sentences and to use What-if, this "
                   f"machine still needs {captions.literal(what)}.")
        with st.container(horizontal=True):
            for thing in lacking:
                offer(thing)
