"""Prompt space: where a run's source, private and composed prompts lie, and what is near them. Reads the store and the
backbone's files."""

from app.show import frames
from app.space import terms, view
from app.ui import components
from compt_core.methods.table import METHODS

components.header("Prompt space", "source prompt", "private prompt", "composed prompt", "prompt length and direction",
                  "PCA", "t-SNE", "vocabulary piece", "Mantel's test", "SPP", "SCP", "PT", "MST", "MPT",
                  own=terms.TERMS)
opened = components.open_results()
if opened:
    experiment, runs = opened
    shown = sorted(frames.finished(runs), key=lambda run: not METHODS[run.method].composed)
    if shown:
        view.view(shown)
    else:
        components.not_ready(experiment, "Only completed runs have prompts to show.")
