"""The names in the address that several pages read."""

from __future__ import annotations

from app.ui.state import Name

TASK = Name("task", "task")
SHOTS = Name("shots", "shot count")
SOURCE = Name("source", "source", of_one=True)
OF = Name("of", "view")
ORDER = Name("order", "order of tasks")
WITH = Name("with", "run to compare with", of_one=True)
