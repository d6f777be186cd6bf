"""The names that the What-if page uses in its address."""

from __future__ import annotations

from app.ui.names import OF, ORDER, SOURCE, TASK
from app.ui.state import EXPERIMENT, RUN, Name

PART = Name("part", "part of the page")
EDIT = Name("edit", "edit")

ROW = Name("row", "dev row", of_one=True)
ROWS = Name("rows", "choice of dev rows")
LENS = Name("lens", "way to look")
TEXTS = (Name("text", "text"), *(Name(f"text{number}", "text") for number in range(2, 7)))  # more fit in no link

MEASURE = Name("measure", "measure")
RENORMALISE = Name("renormalise", "way to mute")
CONTROL = Name("control", "control")

NAMES = (EXPERIMENT, RUN, EDIT, PART, TASK, ROW, ROWS, LENS, *TEXTS, OF, ORDER, MEASURE, RENORMALISE, CONTROL, SOURCE)
