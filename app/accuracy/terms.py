"""The terms that the page Accuracy alone explains."""

from __future__ import annotations

TERMS = {
    "mean, chance = 0": "The mean over tasks on a common scale: 0 is what majority scores, 100 is a perfect run. "
                        "Correlations keep their own scale.",
    "Matthews": "Matthews correlation, from -100 to 100. Giving the same answer to every row scores 0, however "
                "frequent that label is.",
    "paired t-test": "Whether a method differs from another one by more than chance. The two are compared seed by "
                     "seed; p says how often chance alone gives a difference at least this large. Among many tasks a "
                     "few look different by luck. Holm's correction makes up for that: it raises the p-values, so that "
                     "even one false alarm over all tasks has a chance of at most 5%.",
    "confusion matrix": "How often each answer was given: the rows are the right labels, the columns the labels that "
                        "the method answered.",
}
