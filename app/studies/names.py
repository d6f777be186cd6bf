"""The names in the address of the page Studies."""

from __future__ import annotations

from app.ui.state import Name

STUDY = Name("study", "study")
ONE = Name("one", "launch of the study")

NAMES = (STUDY, ONE)
