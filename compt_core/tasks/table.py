"""The tasks that come with the project, by name, and the suites for comparing them. Loads no torch.

This is the source of definitions for experiments being built, checked and submitted; a stored one has its own.
"""

from __future__ import annotations

from compt_core.settings.presets import (
    DEMO_GLUE_TASKS,
    DEMO_MORE_TASKS,
    DEMO_TASKS,
    ENGLISH_TASKS,
    GLUE_TASKS,
    SET2_TASKS,
)
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.demo import DEMO
from compt_core.tasks.english import ENGLISH
from compt_core.tasks.glue import GLUE
from compt_core.tasks.set2 import SET2
from compt_core.tasks.spec import Task

TASKS: dict[str, Task] = {task.name: task for task in (*DEMO, *GLUE, *SET2, *ENGLISH)}
CATALOGUE = Catalogue(TASKS)
SUITES: dict[str, tuple[str, ...]] = {
    "demo": tuple(DEMO_TASKS), "demo-glue": tuple(DEMO_GLUE_TASKS),
    "demo-more": tuple(DEMO_MORE_TASKS),
    "glue": tuple(GLUE_TASKS), "set2": tuple(SET2_TASKS), "english": tuple(ENGLISH_TASKS),
}
