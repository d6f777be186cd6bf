"""The terms that the page Runs alone explains."""

from __future__ import annotations

TERMS = {
    "diagnosis": "What a run's own numbers say went wrong or looks odd. Each finding comes with its number and the "
                 "threshold. A problem means that the run is not what its settings were meant for. A note is worth "
                 "knowing, but it is no failure.",
    "overfitting": "The run knows its training rows by heart: their loss is near 0, while the score on dev rows falls.",
    "dead source": "A source with weight 0 in every task. It no longer learns, because no gradient reaches it. It "
                   "comes back only if the logits of the other sources shrink, for example by weight decay.",
    "norm of a part": "How large the shared or the private part is when it enters the prompt: the square root of the "
                      "sum of its squared numbers. The larger part decides most of the prompt.",
}
