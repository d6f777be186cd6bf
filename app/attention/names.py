"""The names in the address of the page Attention."""

from __future__ import annotations

from app.ui.names import OF, ORDER, SOURCE, TASK, WITH
from app.ui.state import EXPERIMENT, RUN, Name

STEP = Name("step", "step", of_one=True)

NAMES = (EXPERIMENT, RUN, OF, ORDER, TASK, STEP, SOURCE, WITH)
