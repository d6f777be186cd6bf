"""The terms that only the Learn page explains."""

from __future__ import annotations

TERMS = {
    "label words": "The words from which the backbone chooses a task's answer. It picks the most probable one.",
    "logit": "Attention's raw number for one task and one source, before the normaliser. It starts at 0, and training "
             "changes it.",
}
