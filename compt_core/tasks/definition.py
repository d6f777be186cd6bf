"""A person's own task as a small YAML file, read and written. Loads no torch.

::

    name: questions
    texts: {question: question}      # column: the word written before its text, in reading order
    label: kind                      # the column with the labels
    labels: {ABBR: abbreviation}     # label in the data: word that the backbone answers with
    data: {train: train.csv, dev: dev.csv}

The rest may be left out; :class:`_Written` lists it all. A task whose labels are numbers has
``numbers: {from: 0, to: 4, step: 0.5}`` in place of `labels`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from compt_core.errors import ConfigError, DataError, Issue, quoted
from compt_core.settings.values import parse_yaml, read_yaml
from compt_core.tasks.spec import KEPT, OWN, Files, Question, Task, as_label

NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
NAME_SAID = "1 to 40 lower-case letters, digits and _ . -, beginning with a letter"
FILE = "task.yaml"
MOST_LABELS = 200
MOST_CANDIDATES = 200  # of a task of numbers
_FILE_NAME = re.compile(r"[^/\\\0]{1,200}")  # of one folder: no path
_NUMBERS = ("pearson", "spearman")

_AS_TEXT = BeforeValidator(lambda one: as_label(one) if isinstance(one, int | float) else one)
_Line = Annotated[str, _AS_TEXT, StringConstraints(strip_whitespace=True, max_length=1000)]
_Blank = Annotated[_Line, Field(max_length=200)]
_Given = Annotated[_Line, Field(min_length=1)]
_Short = Annotated[_Given, Field(max_length=200)]
_Column = Annotated[str, _AS_TEXT, Field(min_length=1, max_length=200)]  # as the file has it


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Numbers(_Part):
    """The range of a task's numbers, and how far apart the candidates are."""

    low: float = Field(alias="from")
    high: float = Field(alias="to")
    step: float = Field(gt=0)

    @model_validator(mode="after")
    def _range(self) -> Self:
        if not 1 <= (self.high - self.low) / self.step <= MOST_CANDIDATES - 1:
            raise ValueError(f"must go from a number to a larger one in 1 to {MOST_CANDIDATES - 1} steps")
        return self

    def candidates(self) -> tuple[str, ...]:
        """Each as text, all with as many decimals as the step and the first one need."""
        decimals = max(len(f"{one:.6f}".rstrip("0").partition(".")[2]) for one in (self.low, self.step))
        count = round((self.high - self.low) / self.step) + 1
        return tuple(f"{self.low + i * self.step:.{max(decimals, 1)}f}" for i in range(count))


class _Question(_Part):
    """The task as a question, for a backbone that follows instructions."""

    text: _Given
    fields: list[_Short] = []
    answers: list[_Short] = []


class _Data(_Part):
    """Where the rows are: two files, one file to be split, a data set that save_to_disk wrote, or one on the hub.

    For the last two, `train` and `dev` name splits.
    """

    train: _Short | None = None
    dev: _Short | None = None
    file: _Short | None = None
    share: float = Field(0.2, gt=0, lt=1)
    seed: int = Field(0, ge=0, le=2**31)
    saved: Annotated[Literal[True] | None, BeforeValidator(lambda one: True if one == "true" else one)] = None
    hub: _Short | None = None
    configuration: _Short | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        files = not (self.hub or self.saved or self.file)
        if bool(self.hub) + bool(self.saved) + bool(self.file) > 1 or (files and not self.train):
            raise ValueError("must have 'train' and 'dev', or 'file', or 'saved', or 'hub'")
        if files and not self.dev:
            raise ValueError("must have 'dev' beside 'train'; one file alone is 'file'")
        names = [] if self.hub or self.saved else [one for one in (self.train, self.dev, self.file) if one]
        if wrong := [one for one in names if not is_file_name(one)]:
            raise ValueError(f"must name files beside this one, without a folder. Got {quoted(wrong[0])}")
        return self


class _Written(_Part):
    """All that the file may hold."""

    name: _Given
    title: _Blank = ""
    description: _Line = ""
    source: _Line = ""
    licence: _Line = ""
    family: _Blank = ""
    texts: dict[_Column, _Short] | list[_Column] = Field(min_length=1)
    label: _Column
    labels: dict[Any, _Short] | list[_Short] = Field({}, max_length=MOST_LABELS)
    leave_out: list[_Line] = []
    numbers: _Numbers | None = None
    metrics: list[Literal["accuracy", "f1", "macro_f1", "matthews", "pearson", "spearman"]] = []
    positive: _Line | None = None
    prefix: _Blank = ""
    native_prefix: _Blank = ""
    question: _Question | None = None
    data: _Data | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"'name' must have {NAME_SAID}. Got {quoted(self.name)}")
        words = list(self.labels.values()) if isinstance(self.labels, dict) else list(self.labels)
        if (self.numbers is None) == (not words):
            raise ValueError("must have either 'labels' or 'numbers'")
        if self.numbers is None and len(words) < 2:
            raise ValueError("'labels' must name at least two labels")
        if twice := next((word for word in words if words.count(word) > 1), None):
            raise ValueError(f"'labels' must give each label a word of its own. Got {quoted(twice)} more than once")
        given = [as_label(one).strip() for one in self.labels]
        if again := next((one for one in given if given.count(one) > 1), None):
            raise ValueError(f"'labels' must name each label once. Got {quoted(again)} more than once")
        if "" in given:
            raise ValueError("'labels' must name each label as it is in the data. Got an empty one")
        if both := next((one for one in map(as_label, self.leave_out) if one.strip() in given), None):
            raise ValueError(f"'leave_out' must name other labels than 'labels'. Got {quoted(both)} in both")
        if len(set(self.texts)) < len(self.texts):
            raise ValueError("'texts' must name each column once")
        allowed = _NUMBERS if self.numbers else ("accuracy", "f1", "macro_f1", "matthews")
        if wrong := [one for one in self.metrics if one not in allowed]:
            raise ValueError(f"'metrics' of such a task must be among {', '.join(allowed)}. Got {wrong[0]}")
        if "f1" in self.metrics and self.positive is None and len(words) != 2:
            raise ValueError("'positive' must name the label that f1 is about")
        if self.positive is not None and as_label(self.positive) not in (*given, *words):
            raise ValueError(f"'positive' must be one of the labels. Got {quoted(self.positive)}")
        if self.label in self.texts:
            raise ValueError(f"'label' must be another column than the texts. Got {quoted(self.label)}")
        if self.question and self.question.answers and len(self.question.answers) != len(words):
            raise ValueError("'question' must have as many answers as there are labels")
        if self.question and self.question.fields and len(self.question.fields) != len(self.texts):
            raise ValueError("'question' must have as many fields as there are texts")
        return self


def read(path: Path) -> Task:
    """The task that a YAML file defines; its data files are beside it. Raises ConfigError with every problem."""
    return parse(read_yaml(path, "task file", words=True), str(path.resolve().parent), f"The task file '{path}'")


def parse(given: Mapping[str, Any], folder: str, what: str) -> Task:
    """The task of a definition whose data files are in `folder`; `what` names it in messages. Raises ConfigError."""
    try:
        one = _Written.model_validate(dict(given))
    except ValidationError as error:
        raise ConfigError(dict.fromkeys(Issue("tasks", _sentence(what, one)) for one in _faults(error))) from None
    texts = one.texts if isinstance(one.texts, dict) else {}
    labels = one.labels if isinstance(one.labels, dict) else {word: word for word in one.labels}
    pairs = [(as_label(written).strip(), word) for written, word in labels.items()]
    answers = list(one.question.answers) if one.question else []
    if one.positive is not None:  # f1 is about the label of index 1
        positive = as_label(one.positive)
        place = next(place for side in (0, 1) for place, pair in enumerate(pairs) if pair[side] == positive)
        pairs.insert(1, pairs.pop(place))
        if answers:
            answers.insert(1, answers.pop(place))
    asked = one.question
    question = Question(asked.text, tuple(asked.fields or texts.values() or one.texts), tuple(answers)) \
        if asked else None
    hub, files = None, None
    if one.data and one.data.hub:
        hub = (one.data.hub, one.data.configuration, one.data.train or "train", one.data.dev or "validation")
    elif one.data:
        first = "" if one.data.saved else one.data.file or one.data.train or ""
        files = Files(folder, first, one.data.dev or "", one.data.share, one.data.seed,
                      one.data.train or "" if one.data.saved else "")
    return Task(
        name=one.name, suite=OWN, family=one.family or one.name, columns=tuple(one.texts),
        labels=one.numbers.candidates() if one.numbers else tuple(word for _, word in pairs),
        metrics=tuple(one.metrics) or (_NUMBERS if one.numbers else ("accuracy",)),
        hub=hub, native=one.native_prefix, question=question, numeric=one.numbers is not None, label_column=one.label,
        aliases=tuple(pair for pair in pairs if pair[0] != pair[1]), title=one.title, description=one.description,
        source=one.source, licence=one.licence, word=one.prefix, fields=tuple(texts.values()), indexed=False,
        left_out=tuple(map(as_label, one.leave_out)), files=files)


def written(task: Task) -> str:
    """A person's own task as YAML; :func:`parse` reads it back to an equal task, but for the folder of its files."""
    given: dict[str, Any] = {"name": task.name, "title": task.title, "description": task.description}
    given["texts"] = dict(zip(task.columns, task.fields, strict=True)) if task.fields else list(task.columns)
    given["label"] = task.label_column
    if task.numeric:
        given["numbers"] = {"from": _short(task.labels[0]), "to": _short(task.labels[-1]), "step": round(task.step, 6)}
    else:
        given["labels"] = dict(zip(task.written_labels, task.labels, strict=True))
    given |= {"leave_out": list(task.left_out), "metrics": list(task.metrics)}
    if "f1" in task.metrics:
        given["positive"] = task.written_labels[1]
    given |= {"family": task.family, "prefix": task.word, "native_prefix": task.native}
    if task.question:
        given["question"] = {"text": task.question.text, "fields": list(task.question.fields),
                             **({"answers": list(task.question.words)} if task.question.words else {})}
    given |= {"source": task.source, "licence": task.licence}
    if task.hub:
        given["data"] = {key: value for key, value in zip(("hub", "configuration", "train", "dev"), task.hub,
                                                          strict=True) if value is not None}
    elif task.files and not task.files.train:
        splits = {"train": task.files.split, "dev": task.files.dev}
        given["data"] = {"saved": True, **{split: name for split, name in splits.items() if name},
                         "share": task.files.share, "seed": task.files.seed}
    elif task.files and task.files.dev:
        given["data"] = {"train": task.files.train, "dev": task.files.dev}
    elif task.files:
        given["data"] = {"file": task.files.train, "share": task.files.share, "seed": task.files.seed}
    return yaml.safe_dump({key: value for key, value in given.items() if value not in ("", [])}, sort_keys=False,
                          allow_unicode=True, width=120)


def read_text(text: str, folder: str = KEPT, what: str = "The definition") -> Task:
    """As :func:`parse`, of the text of a file. Raises ConfigError."""
    return parse(parse_yaml(text, what, words=True), folder, what)


def is_file_name(name: str) -> bool:
    """Whether `name` can be that of a file in one folder: no path."""
    return bool(_FILE_NAME.fullmatch(name)) and name not in (".", "..")


def check_name(name: str) -> str:
    """`name` if it can be a task's. Raises DataError."""
    if not NAME.fullmatch(name):
        raise DataError(f"The name of a task must have {NAME_SAID}. Got {quoted(name)} instead.")
    return name


def _short(label: str) -> float | int:
    return int(float(label)) if float(label).is_integer() else float(label)


def _faults(error: ValidationError) -> list[Any]:
    """Pydantic's faults, one of those that only say that a line is neither a mapping nor a list."""
    found, kinds = list[Any](), ("dict_type", "list_type")
    for fault in sorted(error.errors(), key=lambda fault: fault["type"] in kinds):  # the other ones first
        if fault["type"] not in kinds or all(fault["loc"][:1] != one["loc"][:1] for one in found):
            found.append(fault)
    return found


def _sentence(what: str, fault: Any) -> str:
    """One of pydantic's faults as a sentence."""
    at = ".".join(str(part) for part in fault["loc"] if not (isinstance(part, str) and "[" in part))
    said, got = fault["msg"].removeprefix("Value error, ").rstrip("."), fault.get("input")
    if fault["type"] == "missing":
        return f"{what} lacks the line '{at}'."
    if fault["type"] == "extra_forbidden":
        return f"{what} must not have {quoted(at)}, which nothing reads."
    if fault["type"] == "value_error":
        return f"{what}: {said}." if not at else f"{what}: '{at}' {said}."
    return f"{what}: '{at}' is not as it must be ({said[:1].lower()}{said[1:]}). Got {quoted(got)}."
