"""Accuracy: rows of the comparison x tasks, as scores or as differences from a baseline. Reads only the store."""

from app.accuracy import terms
from app.accuracy import view as accuracy
from app.report import downloads
from app.show import frames
from app.ui import components

components.header("Accuracy", "PT", "MST", "MPT", "ComPT", "SPP", "SCP", "majority", "no prompt",
                  "mean, chance = 0", "Matthews", "dev rows", "95% t-interval", "paired t-test", "confusion matrix",
                  own=terms.TERMS)
opened = components.open_results()
if opened:
    experiment, runs = opened
    scores = frames.scores(runs)
    if scores.empty:
        components.not_ready(experiment, "Scores appear as soon as the first run completes.")
    else:
        accuracy.view(experiment, runs, scores)
        downloads.bar(experiment)
