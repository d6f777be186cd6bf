"""Attention: tasks x sources, over training or seeds, as a tree, compared with another run. Reads only the store."""

from app.attention import terms
from app.attention import view as attention
from app.show import captions, frames
from app.ui import components

components.header("Attention", "attention", "source prompt", "normaliser", "entropy", "cosine",
                  "known relatedness", "rank correlation", "Mantel's test", "95% t-interval", "SPP", "SCP",
                  own=terms.TERMS)
opened = components.open_results()
if opened:
    experiment, runs = opened
    shown = frames.with_result(runs, "attention")
    if shown:
        attention.view(shown)
    else:
        components.not_ready(experiment, f"This page shows completed runs of {captions.methods(composed=True)}; "
                                         f"{captions.methods(composed=False)} have no attention.")
