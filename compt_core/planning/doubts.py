"""What is doubtful about the rows of a task, a sentence each. Loads no torch."""

from __future__ import annotations

from compt_core.backbone.files import BackboneFiles
from compt_core.tasks.spec import TaskData


def doubts(data: TaskData, files: BackboneFiles | None = None, shots: int | None = None, prefix: str = "neutral",
           max_tokens: int = 128) -> list[str]:
    """What a person should know or change before training on `data`, read by the backbone of `files`."""
    return list(data.notes)
