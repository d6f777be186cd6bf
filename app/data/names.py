"""The names in the address of the page Data."""

from __future__ import annotations

from app.ui.names import TASK
from app.ui.state import Name

MODE = Name("mode", "part of the page")
DRAFT = Name("draft", "draft")

NAMES = (TASK, MODE, DRAFT)
KNOWN, OWN, ROWS = "known", "own", "rows"  # the values of MODE
MODES = {KNOWN: "Look at a task", OWN: "A task of your own", ROWS: "Rows for a public task"}
