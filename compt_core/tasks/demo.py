"""The bundled demo suite as a table of tasks; its rows come from the demo language."""

from __future__ import annotations

from compt_core.demo.suites import BY_NAME, SUITE, suite_rows
from compt_core.errors import DataError, nearest
from compt_core.tasks.spec import Row, Task

DEMO: tuple[Task, ...] = tuple(
    Task(task.name, "demo", task.family, ("sentence1", "sentence2"), task.labels) for task in SUITE
)


def demo_rows(name: str, split: str) -> tuple[Row, ...]:
    """The rows of a demo task, "train" (2,000) or "dev" (300). Raises DataError for another name or split."""
    if name not in BY_NAME:
        raise DataError(f"The demo suite has no task '{name}'.{nearest(name, BY_NAME)}")
    if split not in ("train", "dev"):
        raise DataError(f"The split of a demo task must be 'train' or 'dev'. Got '{split}' instead.")
    rows = suite_rows(name)[split == "dev"]
    return tuple(Row((row.sentence1, row.sentence2), row.label, float(row.label)) for row in rows)
