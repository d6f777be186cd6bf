"""The terms that the page Learn alone explains."""

from __future__ import annotations

TERMS = {
    "label words": "The words from which the backbone chooses a task's answer. It takes the one that it finds most "
                   "probable.",
    "logit": "Attention's raw number for one task and one source, before the normaliser. It starts at 0, and training "
             "changes it.",
}
