"""The bundled demo suites as a table of tasks; the demo language generates their rows."""

from __future__ import annotations

from typing import Final

from compt_core.errors import DataError, nearest
from compt_core.language.cases import GRADES, SKILLS
from compt_core.language.suites import BY_NAME, SUITE, DemoTask, suite_rows
from compt_core.tasks.spec import Row, Task

_METRICS: Final = {  # each task of demo-glue has those of the GLUE task it mirrors; the others have accuracy
    "demo-cola": ("accuracy", "matthews"), "demo-mrpc": ("accuracy", "f1"), "demo-qqp": ("accuracy", "f1"),
    "demo-stsb": ("pearson", "spearman"),
}

_COLUMNS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    ("statement", "statement"): ("sentence1", "sentence2"), ("question", "question"): ("question1", "question2"),
    ("question", "statement"): ("question", "sentence"),
}


def _task(task: DemoTask) -> Task:
    skill = SKILLS[task.skill]
    columns = _COLUMNS.get(skill.fields, ("sentence",))
    return Task(task.name, task.suite, task.family, columns, task.labels, _METRICS.get(task.name, ("accuracy",)),
                numeric=skill.labels == GRADES)


DEMO: tuple[Task, ...] = tuple(map(_task, SUITE))


def demo_rows(name: str, split: str) -> tuple[Row, ...]:
    """The rows of a demo task, "train" (at least 2,000) or "dev" (300). Raises DataError for another name or split."""
    if name not in BY_NAME:
        raise DataError(f"The demo suites have no task '{name}'.{nearest(name, BY_NAME)}")
    if split not in ("train", "dev"):
        raise DataError(f"The split of a demo task must be 'train' or 'dev'. Got '{split}' instead.")
    return tuple(Row(*row) for row in suite_rows(name)[split == "dev"])
