"""The terminal: messages on stderr, tables on stdout, progress while a person watches. Loads no torch."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from compt_core.errors import plural
from compt_core.runs.record import RunRecord, State
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker

LONGEST_LINE = 2000  # characters of one message
_QUIET = {  # read by the libraries when they are first imported
    "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_VERBOSITY": "error", "DATASETS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}
_NO_BARS = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}


def console() -> Console:
    """stdout for tables: as wide as the terminal, or wide enough for a file."""
    return Console(width=None if sys.stdout.isatty() else 160)


def say(*messages: str) -> None:
    """Each of `messages` as one line on stderr, with line ends as spaces and control characters escaped."""
    for message in messages:
        line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(message.split()))
        line = line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"
        with suppress(OSError):  # the terminal is closed; the exit code still says how it went
            print(line, file=sys.stderr, flush=True)


def quiet_libraries() -> None:
    """Turns off the libraries' notices and, without a terminal, their progress bars: stderr is for our messages."""
    for name, value in (_QUIET if sys.stderr.isatty() else _QUIET | _NO_BARS).items():
        os.environ.setdefault(name, value)


class Ticker:
    """Progress of one experiment on stderr: a bar on a terminal, otherwise a line whenever it has to wait."""

    def __init__(self, store: Store, worker: Worker):
        self.store, self.worker, self.said = store, worker, ""
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[share]}"),
                   TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        self.task = self.bar.add_task("queued", total=None, share="")

    def __enter__(self) -> Ticker:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the terminal was closed
            self.bar.stop()

    def tick(self, runs: list[RunRecord]) -> None:
        """Shows how far the runs of the experiment are."""
        text = self._text(runs)
        done, total = sum(run.step for run in runs), sum(run.steps or 0 for run in runs)
        training = done < total  # after the last step the bar swings: rows are being scored
        self.bar.update(self.task, description=text, completed=done, total=total if training else None,
                        share=f"{100 * done / total:.0f}%" if training else "")
        if text != self.said and text.startswith("waiting") and not sys.stderr.isatty():
            say(text)
        self.said = text

    def _text(self, runs: list[RunRecord]) -> str:
        going = [run for run in runs if run.state == State.RUNNING]
        if any(run.steps for run in going):
            scoring = all(run.step == run.steps for run in going)
            return "scoring dev rows" if scoring else f"training {plural(len(going), 'run')} side by side"
        queued = next((run for run in runs if run.state == State.QUEUED), None)
        if going or queued is None:
            return "starting"
        for run, state in self.store.waits(queued.experiment).items():
            if not any(run == one.id for one in runs):
                return f"waiting for run {run} to be completed, which is {state}"
        ahead = self.store.position(queued.id)
        if ahead:
            return f"waiting: {plural(ahead, 'run')} of other experiments come first in the queue"
        return "starting" if self.worker.lease.held else "waiting: another process trains; this experiment is next"


