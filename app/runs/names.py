"""The names in the address of the page Runs."""

from __future__ import annotations

from app.ui.names import SHOTS
from app.ui.state import EXPERIMENT, RUN, Name

CURVES = Name("curves", "kind of curves")
FOLLOW = Name("follow", "run to follow", of_one=True)

NAMES = (EXPERIMENT, RUN, CURVES, SHOTS, FOLLOW)
