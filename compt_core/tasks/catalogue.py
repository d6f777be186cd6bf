"""Tasks by name: how an experiment's own tasks are defined, whatever the bundled table says today. Loads no torch.

An experiment is checked and submitted with the tasks of the bundled table (:data:`compt_core.tasks.table.CATALOGUE`)
and keeps their definitions from then on. Code that reads a stored run asks the run's own catalogue, never the table. So
a run keeps the meaning it had when it was submitted, and tasks may come from other places than the table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from compt_core.errors import ConfigError, DataError, Issue, nearest, quoted
from compt_core.tasks.spec import Files, Question, Task


class Catalogue(Mapping[str, Task]):
    """Task by name, over a mapping that is not copied. Two catalogues with the same definitions are equal."""

    def __init__(self, tasks: Mapping[str, Task] | None = None):
        self._tasks: Mapping[str, Task] = {} if tasks is None else tasks

    def __getitem__(self, name: str) -> Task:
        return self._tasks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def __repr__(self) -> str:
        return f"Catalogue({', '.join(self)})"

    def only(self, names: Collection[str]) -> Catalogue:
        """The tasks in `names` that it has, in that order."""
        return Catalogue({name: self._tasks[name] for name in names if name in self._tasks})

    def named(self, names: Collection[str]) -> tuple[Task, ...]:
        """The tasks called `names`, in that order. Raises ConfigError naming every one that it does not have."""
        known = f" Known tasks: {', '.join(self)}." if self else ""
        unknown = [Issue("tasks", f"There is no task {quoted(name)}.{nearest(name, self) or known}")
                   for name in names if name not in self._tasks]
        if unknown:
            raise ConfigError(unknown)
        return tuple(self._tasks[name] for name in names)

    def needed(self, name: str) -> Task:
        """The task of a stored run that must be known to go on. Raises DataError where it is not."""
        if name not in self._tasks:
            raise DataError(f"the store holds no definition of task {quoted(name)}, so its label words are not known.")
        return self._tasks[name]

    def family(self, name: str) -> str:
        """The family of a task; a task that it does not have is a family by itself."""
        return self._tasks[name].family if name in self._tasks else name

    def metrics(self, name: str, scores: Collection[str]) -> list[str]:
        """The metrics of a task that occur in `scores` (by metric), primary first. For a task that it does not have, or
        whose scores have other metrics, all of them."""
        own = self._tasks[name].metrics if name in self._tasks else ()
        return [metric for metric in own if metric in scores] or list(scores)

    def primary(self, scores: Mapping[str, Mapping[str, float | None]]) -> dict[str, str]:
        """Task -> its primary metric, for tasks with scores by metric, at least one each."""
        return {name: self.metrics(name, of)[0] for name, of in scores.items()}

    def numeric(self, names: Collection[str]) -> bool:
        """Whether any of the tasks called `names` has numbers for gold values."""
        return any(self._tasks[name].numeric for name in names if name in self._tasks)

    def written(self) -> dict[str, dict[str, Any]]:
        """Its definitions for JSON: task name -> the other fields of :class:`Task`; :func:`read` reads them."""
        return {name: {field: value for field, value in asdict(task).items() if field != "name"}
                for name, task in self._tasks.items()}


_Metric = Literal["accuracy", "f1", "macro_f1", "matthews", "pearson", "spearman"]
_Words = Annotated[tuple[str, ...], Field(min_length=1)]


class _Question(BaseModel):
    """A task's question in JSON."""

    model_config = ConfigDict(strict=True)

    text: Annotated[str, Field(min_length=1)]
    fields: _Words
    words: tuple[str, ...] = ()


class _Files(BaseModel):
    """Where the rows of a person's own task are, in JSON."""

    model_config = ConfigDict(strict=True)

    folder: Annotated[str, Field(min_length=1)]
    train: str = ""
    dev: str = ""
    share: float = 0.2
    seed: int = 0
    split: str = ""


class _Definition(BaseModel):
    """The fields of a Task except its name, as JSON must have them; fields of later versions are left out."""

    model_config = ConfigDict(strict=True)

    suite: str
    family: str
    columns: _Words
    labels: _Words
    metrics: Annotated[tuple[_Metric, ...], Field(min_length=1)]
    hub: tuple[str, str | None, str, str] | None = None
    native: str = ""
    question: _Question | None = None
    numeric: bool = False
    label_column: str = "label"
    aliases: tuple[tuple[str, str], ...] = ()
    hub_names: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    source: str = ""
    licence: str = ""
    word: str = ""
    fields: tuple[str, ...] = ()
    indexed: bool = True
    left_out: tuple[str, ...] = ()
    files: _Files | None = None

    @model_validator(mode="after")
    def _numbers(self) -> _Definition:
        if self.numeric and not all(map(_is_number, self.labels)):
            raise ValueError("should have numbers as labels, since its task is numeric")
        if self.numeric and len(self.labels) < 2:
            raise ValueError("should have at least two numbers as labels")
        if self.fields and len(self.fields) != len(self.columns):
            raise ValueError("should have as many fields as columns, or none")
        if self.question and len(self.question.fields) != len(self.columns):
            raise ValueError("should have as many fields in its question as columns")
        if self.question and self.question.words and len(self.question.words) != len(self.labels):
            raise ValueError("should have as many words in its question as labels, or none")
        return self

    def task(self, name: str) -> Task:
        """The task of this definition."""
        asked = self.question and Question(**dict(self.question))
        files = self.files and Files(**dict(self.files))
        return Task(name, **dict(self) | {"question": asked, "files": files})


def _is_number(label: str) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False


_DEFINITIONS = TypeAdapter(dict[str, _Definition])


def read(found: object) -> Catalogue:
    """The catalogue that :meth:`Catalogue.written` wrote. Raises pydantic's ValidationError, a ValueError."""
    definitions = _DEFINITIONS.validate_json(json.dumps(found))
    return Catalogue({name: one.task(name) for name, one in definitions.items()})
