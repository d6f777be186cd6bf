"""The names in the address of the page Gates. It has none of its own."""

from __future__ import annotations

from app.ui.names import OF, ORDER, TASK
from app.ui.state import EXPERIMENT, RUN

NAMES = (EXPERIMENT, RUN, OF, ORDER, TASK)
