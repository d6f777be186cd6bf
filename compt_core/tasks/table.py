"""All tasks by name, and the suites they are compared in. Loads no torch."""

from __future__ import annotations

from compt_core.errors import ConfigError, Issue, nearest, quoted
from compt_core.presets import DEMO_GLUE_TASKS, DEMO_TASKS, GLUE_TASKS, SET2_TASKS
from compt_core.tasks.demo import DEMO
from compt_core.tasks.glue import GLUE
from compt_core.tasks.set2 import SET2
from compt_core.tasks.spec import Task

TASKS: dict[str, Task] = {task.name: task for task in (*DEMO, *GLUE, *SET2)}
SUITES: dict[str, tuple[str, ...]] = {
    "demo": tuple(DEMO_TASKS), "demo-glue": tuple(DEMO_GLUE_TASKS),
    "glue": tuple(GLUE_TASKS), "set2": tuple(SET2_TASKS),
}


def get_tasks(names: tuple[str, ...]) -> tuple[Task, ...]:
    """The tasks called `names`, in that order. Raises ConfigError naming every unknown one."""
    known = f" Known tasks: {', '.join(TASKS)}."
    unknown = [
        Issue("tasks", f"There is no task {quoted(name)}.{nearest(name, TASKS) or known}")
        for name in names if name not in TASKS
    ]
    if unknown:
        raise ConfigError(unknown)
    return tuple(TASKS[name] for name in names)
