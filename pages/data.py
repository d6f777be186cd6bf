"""Data: every task with its examples, and tasks of one's own."""

from app.data import view
from app.data.terms import TERMS
from app.ui import components

components.header("Data", "task", "label word", "piece", "task prefix", "family", "leave out", "shots", "dev rows",
                  "backbone", own=TERMS)
view.view()
