"""ComPT Lab in a notebook or a script: ``import compt_core as compt``.

    experiment = compt.run(preset="demo", methods="pt,spp", seeds="0-2")
    experiment.heatmap()
    run = experiment.best("spp")
    run.attention
    run.edit("mute=s1")

Everything goes through the same store as the dashboard and the command line, COMPT_HOME, so that one sees the runs of
the others. Tables are pandas', figures are Plotly's. K tasks · S sources · L vectors of a prompt · H width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from compt_core.errors import StoreError, plural, quoted
from compt_core.exchange import peft
from compt_core.exchange.bundle import import_bundles
from compt_core.planning.check import check
from compt_core.runs.drain import drain
from compt_core.runs.existing import looked_up
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.tasks.own import catalogue

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SCORES = ["run", "row", "method", "shots", "seed", "task", "metric", "score"]


class Run:
    """One run. What needs its prompts or its scores raises StoreError until it is completed."""

    def __init__(self, store: Store, record: RunRecord):
        self._store, self.record = store, record

    def __repr__(self) -> str:
        return f"Run({self.id!r}: {self.record.variant}, {plural(self.record.shots, 'shot')}, seed " \
               f"{self.record.seed}, {self.record.state.value})"

    @property
    def id(self) -> str:
        """Its id, as pages and commands name it."""
        return self.record.id

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings by name."""
        return dict(self.record.config)

    @property
    def tasks(self) -> list[str]:
        """The names of its tasks, in the order of every matrix."""
        return list(self.record.config["tasks"])

    @property
    def scores(self) -> pd.DataFrame:
        """Dev scores, a row for each task and metric: columns SCORES, scores from 0 to 1."""
        return pd.DataFrame(list(_scores(self._done())), columns=SCORES)

    @property
    def attention(self) -> pd.DataFrame:
        """Weights [K, S]: tasks x sources. Raises StoreError for a method without attention."""
        found = self._result("attention")
        return pd.DataFrame(found, index=self.tasks, columns=[f"s{s}" for s in range(len(found[0]))])

    @property
    def gates(self) -> pd.DataFrame:
        """alpha (private) and beta (shared) of each task, and the private part's share of the prompt's norm."""
        return pd.DataFrame({"alpha": self._result("alpha"), "beta": self._result("beta"),
                             "private_share": self._result("private_norm_share")}, index=self.tasks)

    def prompts(self, task: str) -> np.ndarray:
        """The prompt [L, H] of a task, as the backbone gets it."""
        composed: np.ndarray = self._store.prompts(self._done().id)["composed"]
        return composed[self._place(task)]

    def curve(self, kind: str = "loss") -> pd.DataFrame:
        """A curve over steps: "loss", "task_loss", "dev_score", "attention" or "gates"; a row for each stored step."""
        found = self._store.curves([self.id], kind).get(self.id)
        if found is None:
            raise StoreError(f"Run '{self.id}' has no curve {quoted(kind)}. There are loss, task_loss, dev_score, "
                             "attention and gates, where the method has them.")
        steps, values = found
        columns = self.tasks if values.shape[1] == len(self.tasks) and kind in ("task_loss", "dev_score") else \
            [kind] if values.shape[1] == 1 else [f"{kind} {i}" for i in range(values.shape[1])]
        return pd.DataFrame(values, index=pd.Index(steps, name="step"), columns=columns)

    def answer(self, *texts: str, task: str = "") -> pd.Series[float]:
        """The probability of every label of a task, for a text of your own, or as many as the task has columns."""
        from compt_core.whatif import bench
        from compt_core.whatif.answer import answers

        name, backbone = self._ready(texts, task)
        own, config = self.record.tasks.needed(name), self.record.settings
        scores = bench.scores(backbone, config, own, [texts], {"": self.prompts(name)})[""]
        return pd.Series(answers(own, scores, self.record.config)[0].probabilities, index=list(own.labels), name=name)

    def generate(self, *texts: str, task: str = "", tokens: int = 20) -> str:
        """What the backbone writes under a task's prompt, greedily, at most `tokens` pieces."""
        from compt_core.whatif import bench

        name, backbone = self._ready(texts, task)
        return bench.written(backbone, self.record.settings, self.record.tasks.needed(name), texts, self.prompts(name),
                             tokens)

    def edit(self, text: str) -> pd.DataFrame:
        """What an edit does, written as in `whatif RUN --edit`: each task's scores before and after."""
        from compt_core.whatif.apply import apply, prompts_of

        record = self._done()
        trained = dict(zip(self.tasks, self._store.prompts(record.id)["composed"], strict=True))
        changes = [one.change for _, one in apply(record, self._store.scores(record.id), trained,
                                                  prompts_of(self._store, record, text))]
        return pd.DataFrame([{"task": one.task, "metric": one.metric, "trained": one.before, "edited": one.after,
                              "change": one.difference, "low": one.low, "high": one.high,
                              "answers_changed": len(one.flipped)} for one in changes]).set_index("task")

    def export_peft(self, folder: str) -> None:
        """Writes the prompt of every task as an adapter of peft (`compt_core.exchange.peft`). Raises ConfigError where
        the run was not trained with position=before_all."""
        from pathlib import Path

        peft.check(self.record, allow_move=False)
        peft.write(Path(folder), peft.exported(self.record, self._store.prompts(self.id)), "folder")

    def _done(self) -> RunRecord:
        if self.record.state != State.COMPLETED:
            self.record = self._store.run(self.id)
        if self.record.state != State.COMPLETED:
            raise StoreError(f"Run '{self.id}' is {self.record.state.value}, so it has no results yet.")
        return self.record

    def _result(self, name: str) -> Any:
        found = (self._done().result or {}).get(name)
        if found is None:
            raise StoreError(f"Run '{self.id}' has no {name.replace('_', ' ')}: its method, {self.record.method}, has "
                             "none.")
        return found

    def _place(self, task: str) -> int:
        self.record.tasks.only(self.tasks).named([task])
        return self.tasks.index(task)

    def _ready(self, texts: Sequence[str], task: str) -> tuple[str, Any]:
        """(the task, the backbone) for texts; the first task where none is named."""
        from compt_core.whatif.apply import backbone_of

        name = task or self.tasks[0]
        columns = self.record.tasks.needed(self.tasks[self._place(name)]).columns
        if len(texts) != len(columns):
            raise StoreError(f"Task '{name}' reads {plural(len(columns), 'text')} ({', '.join(columns)}). Got "
                             f"{len(texts)}; give each as a text of its own.")
        return name, backbone_of(self._done())


class Experiment:
    """One experiment: a grid of runs."""

    def __init__(self, store: Store, record: ExperimentRecord):
        self._store, self.record = store, record

    def __repr__(self) -> str:
        return f"Experiment({self.id!r}: {', '.join(self.record.variants)} on " \
               f"{plural(len(self.record.config['tasks']), 'task')}, {plural(len(self.runs), 'run')})"

    @property
    def id(self) -> str:
        """Its id, as pages and commands name it."""
        return self.record.id

    @property
    def runs(self) -> list[Run]:
        """All its runs, in the order of the grid."""
        return [Run(self._store, record) for record in self._store.runs(self.id)]

    @property
    def scores(self) -> pd.DataFrame:
        """Dev scores of its completed runs: columns SCORES, a row for each run, task and metric."""
        rows = [row for run in self.runs if run.record.state == State.COMPLETED for row in _scores(run.record)]
        return pd.DataFrame(rows, columns=SCORES)

    def table(self) -> pd.DataFrame:
        """The mean of each task's first metric over seeds and shots: tasks x rows, and their mean."""
        found = self.scores.drop_duplicates(["run", "task"])  # the first metric comes first
        cells = found.pivot_table(index="task", columns="row", values="score", sort=False)
        return pd.concat([cells, cells.mean().to_frame("mean").T])

    def heatmap(self) -> Figure:
        """The table as a figure, scores x 100."""
        import plotly.graph_objects as go

        cells = 100 * self.table()
        figure = go.Figure(go.Heatmap(z=cells.to_numpy(), x=list(cells.columns), y=list(cells.index),
                                      texttemplate="%{z:.1f}", colorscale="Blues", colorbar_title="score"))
        return figure.update_layout(title=f"Dev scores x 100 on {self.record.config['backbone']}",
                                    yaxis_autorange="reversed")

    def best(self, row: str = "") -> Run:
        """The completed run with the highest mean score, of one row of the comparison if named."""
        done = [run for run in self.runs if run.record.state == State.COMPLETED and row in ("", run.record.variant)]
        if not done:
            of = f" of the row {quoted(row)}" if row else ""
            raise StoreError(f"Experiment '{self.id}' has no completed run{of}.")
        return max(done, key=lambda run: float((run.record.result or {})["mean"]))


def run(*, quiet: bool = False, **settings: Any) -> Experiment:
    """Trains a grid of runs in this process, as `python -m compt_core run` does, and returns when all have ended.

    settings  by name, as in settings files: ``preset="demo"``, ``tasks="sst2,rte"``, ``methods=["pt", "spp"]``,
              ``seeds="0-4"``, ``data_dir="…"``. Without tasks and preset it is the preset demo
    quiet     print no progress
    Raises ConfigError, DataError and BackboneError with one sentence for each problem.
    """
    preset = settings.pop("preset", None)
    experiment = build_experiment(settings, preset=preset or (None if "tasks" in settings else "demo"))
    checked = check(experiment, catalogue(experiment.tasks, experiment.data_dir))
    store = Store()
    identity = store.submit(checked.experiment, tasks=checked.tasks)
    drain(store, identity, (lambda runs: None) if quiet else _printer())
    return Experiment(store, store.experiment(identity))


def load(identity: str) -> Run | Experiment:
    """The run or the experiment with that id. Raises StoreError."""
    store = _store()
    experiment, runs = looked_up(store, identity)
    return Experiment(store, experiment) if experiment.id == identity else Run(store, runs[0])


def experiments() -> list[Experiment]:
    """The newest experiments of COMPT_HOME, newest first, with the bundled ones."""
    store = _store()
    return [Experiment(store, record) for record in store.experiments()]


def _store() -> Store:
    store = Store()
    import_bundles(store)
    return store


def _scores(record: RunRecord) -> list[tuple[Any, ...]]:
    """Rows of SCORES, each task's first metric first."""
    found = (record.result or {})["tasks"]
    return [(record.id, record.variant, record.method, record.shots, record.seed, task, metric, found[task][metric])
            for task in record.config["tasks"] for metric in record.tasks.metrics(task, found[task])]


def _printer() -> Callable[[list[RunRecord]], None]:
    """Prints a line when another run has ended."""
    said = [0]

    def tick(runs: list[RunRecord]) -> None:
        done = sum(run.state in (State.COMPLETED, State.FAILED, State.CANCELLED) for run in runs)
        if done > said[0]:
            said[0] = done
            print(f"{done} of {plural(len(runs), 'run')} done", flush=True)

    return tick
