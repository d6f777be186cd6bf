"""What a task is: columns, label words, metrics, and how a row becomes text. Loads no torch."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace

from compt_core.errors import DataError, nearest, quoted
from compt_core.tasks.parts import parts_of

SIMILARITY_STEP = 0.2  # STS-B candidates, as in the T5 paper (appendix D)
# A number in a cell. Python would also accept "0_1", " 1" and the digits of any script.
_NUMBER = re.compile(r"-?([0-9]+([.][0-9]+)?|[.][0-9]+)(e[+-]?[0-9]+)?")
_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]{0,15}))[.]0+")  # a whole number as a column of fractions writes it
_DIGITS = 50  # characters of a number; no format writes more
KEPT = "kept"  # in place of a folder: the home's folder of the task
HOME = "home:"  # before a folder that is named from the home on, so that the home may be moved
OWN = "own"  # suite of the tasks that a person brought


@dataclass(frozen=True)
class Question:
    """A task asked in words: what a T5 that was trained to follow instructions (FLAN-T5) understands without training.

    text    the question, which stands before the texts
    fields  what comes before each text, in reading order, without its colon
    words   the answers in the order of the task's labels; empty where the labels themselves are the answers
    """

    text: str
    fields: tuple[str, ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Files:
    """Where the rows of a person's own task are.

    folder  absolute path, KEPT for the task's folder in the home, or HOME and a path in the home
    train   name of the file in it, or of the first of its parts; "" for the folder itself, a data set that save_to_disk
            wrote
    split   of such a data set the split to train on; "" for the one called train, or the first
    dev     name of the dev file; "" where dev rows are split off from the one file, or from the one split
    share   part of the rows that are split off, and the `seed` that draws them
    """

    folder: str
    train: str = ""
    dev: str = ""
    share: float = 0.2
    seed: int = 0
    split: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every file that is read; none of a data set that save_to_disk wrote."""
        return tuple(part for name in (self.train, self.dev) if self.train and name for part in parts_of(name))


@dataclass(frozen=True)
class Task:
    """One task as a row of a table.

    name      as typed by a person and printed in every table
    suite     benchmark that it belongs to: "demo", "demo-glue", "glue", "set2" or "english"; "own" for a person's own
    family    group of similar tasks, for ordering and for the family oracle
    columns   text columns, in reading order
    labels    label words in the order of the hub's indices (for a numeric task one candidate per score)
    metrics   names of its scores, primary first
    hub       (data set, configuration or None, train split, dev split) on the datasets hub
    native    T5's own prefix word; "" where T5 was never trained on the task
    question  the task as a question with its own answers; None where there is none
    numeric   gold values are numbers (STS-B), and `labels` are numbers as text
    label_column  name of the label column in files and on the hub
    aliases  (word in a data set, our label word) where the two differ
    hub_names  the hub's own names for the indices of `labels`, where they must not be used in a cell
    title, description, source, licence  for people: a few words, what makes an answer right, where the rows are from
    word      the neutral prefix, without its colon; "" for the name
    fields    what comes before each text in neutral and native style, without its colon; empty for "sentence"
    indexed   whether a label may be given by its index, and a missing one is refused; a person's own task has neither
    left_out  labels in the data whose rows are not used
    files     where its rows are, if not in the data folder of the experiment
    """

    name: str
    suite: str
    family: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    metrics: tuple[str, ...] = ("accuracy",)
    hub: tuple[str, str | None, str, str] | None = None
    native: str = ""
    question: Question | None = None
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
    files: Files | None = None

    @property
    def meaning(self) -> Task:
        """The task without what is only said about it, which no training and no score depends on."""
        return replace(self, family="", title="", description="", source="", licence="")

    @property
    def bundled(self) -> bool:
        """Whether its rows are generated, so that it needs no data files."""
        return self.suite.startswith("demo")

    def digest(self, style: str) -> str:
        """sha256 of everything that makes inputs, targets and scores out of rows; other label words change it."""
        said = (self.name, self.columns, self.labels, self.metrics, self.native, self.numeric)
        asked = (self.question,) if style == "question" and self.question else ()
        own = (self.word, self.fields) if self.word or self.fields else ()  # the bundled tasks have neither
        return hashlib.sha256(repr((*said, *asked, *own)).encode()).hexdigest()

    def prefix(self, style: str) -> str:
        """The task prefix in front of the text: ``"rte:"`` (neutral), T5's own ``"rte"`` (native), or the question."""
        if style == "question" and self.question:
            return self.question.text
        return self.native if style == "native" and self.native else f"{self.word or self.name}:"

    def field_names(self, style: str) -> tuple[str, ...]:
        """What comes before each text, without its colon; neutral uses the same words for all tasks."""
        if style == "question" and self.question:
            return self.question.fields
        if self.fields:
            return self.fields
        if style == "native" and self.native:
            return self.columns
        return ("sentence",) if len(self.columns) == 1 else tuple(f"sentence{i + 1}" for i in range(len(self.columns)))

    def words(self, style: str) -> tuple[str, ...]:
        """The words that the backbone answers with, in the order of `labels`; in a question they may be others."""
        asked = self.question.words if style == "question" and self.question else ()
        return asked or self.labels

    @property
    def written_labels(self) -> tuple[str, ...]:
        """How each label is written in the data, in the order of `labels`."""
        own = {word: written for written, word in self.aliases}
        return tuple(own.get(word, word) for word in self.labels)

    @property
    def step(self) -> float:
        """The distance of two candidates of a numeric task."""
        return float(self.labels[1]) - float(self.labels[0])

    def parse_label(self, raw: object, where: str) -> tuple[int, float] | None:
        """(label index, gold value) of a cell: a label word or a hub index; None for −1 (a test row) where that is no
        label and in no range of numbers, and in a person's own task for a missing label or one that is left out.

        The value is the index itself, or the unrounded number of a numeric task. Raises DataError
        naming `where` (file and line) for anything else.
        """
        text = as_label(raw.strip() if isinstance(raw, str) and not self.indexed else raw)
        word = dict(self.aliases).get(text.strip(), text.strip())
        if not self.indexed and (not word or text.strip() in self.left_out):
            return None
        if not self.numeric and word in self.labels and (self.indexed or text.strip() in self.written_labels):
            index = self.labels.index(word)
            return index, float(index)
        number = float(text) if len(text) <= _DIGITS and _NUMBER.fullmatch(text) else float("nan")
        if self.numeric and float(self.labels[0]) <= number <= float(self.labels[-1]):  # −1 as well, where it is one
            return round((number - float(self.labels[0])) / self.step), number
        if number == -1:
            return None
        if not self.numeric and self.indexed and number.is_integer() and 0 <= number < len(self.labels):
            return int(number), number
        known = self.labels if self.indexed else self.written_labels
        allowed = f"a number in [{self.labels[0]}, {self.labels[-1]}]" if self.numeric else \
            "one of " + ", ".join(f"'{word}'" for word in known) + \
            (f", or its index 0 to {len(self.labels) - 1}" if self.indexed else "")
        hint = "" if self.numeric else nearest(word, known)
        raise DataError(f"The label of task '{self.name}' in {where} must be {allowed}. "
                        f"Got {'nothing' if raw is None or raw == '' else quoted(raw)} instead.{hint}")


def as_label(cell: object) -> str:
    """A label's cell as the text that a definition names it by, whatever the kind of file: 1.0 and "1.0" are "1", True
    and "TRUE" are "true", a missing cell is ""."""
    if cell is None or cell != cell:  # NaN, in a column of numbers
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell)
    if whole := _WHOLE.fullmatch(text):
        return whole[1]
    return text.lower() if text in ("True", "TRUE", "False", "FALSE") else text


@dataclass(frozen=True, slots=True)
class Row:
    """One example: its texts in the order of the task's columns, its label index and its gold value."""

    texts: tuple[str, ...]
    label: int
    value: float


@dataclass(frozen=True, eq=False)  # read once: the same object means the same rows
class TaskData:
    """The rows of one task, and what was left out while reading them."""

    task: Task
    train: tuple[Row, ...]
    dev: tuple[Row, ...]
    digest: str  # sha256 of all rows: two runs with the same digest saw the same data
    skipped: dict[str, int] = field(default_factory=dict)  # split -> rows without a label (−1)
    overlap: int = 0  # training rows left out because their texts are also in dev
    unknown: dict[str, tuple[float, str]] = field(default_factory=dict)  # split -> share of its words that the
    # backbone has no pieces for, and one of them; only where there are any
    notes: tuple[str, ...] = ()  # what to know about the rows before training on them, a sentence each
