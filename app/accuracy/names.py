"""The names in the address of the page Accuracy."""

from __future__ import annotations

from app.ui.names import ORDER, SHOTS, TASK
from app.ui.state import EXPERIMENT, RUN, Name

VIEW = Name("view", "view")
METRIC = Name("metric", "metric")
METHOD = Name("method", "method")
SEED = Name("seed", "seed", of_one=True)

NAMES = (EXPERIMENT, RUN, ORDER, VIEW, SHOTS, METRIC, TASK, METHOD, SEED)
