"""The names that the Learn page uses in its address: the step, how it is presented, and its widgets' values."""

from __future__ import annotations

from app.ui.state import EXPERIMENT

STEP, PRESENT, CONTROLS = "tour", "present", "controls"
VALUES = ("sources", "z0", "z1", "z2", "z3", "shots", "task", "seed", "at", "row", "against", "form", "alpha", "beta")

NAMES = (EXPERIMENT, STEP, PRESENT, CONTROLS, *VALUES)
