"""Gates: how much each task leans on its private prompt, at the end and over training. Reads only the store."""

from app.gates import view as gates
from app.show import captions, frames
from app.ui import components

components.header("Gates", "gates", "private share", "private prompt", "source prompt", "95% t-interval", "SPP", "SCP")
opened = components.open_results()
if opened:
    experiment, runs = opened
    shown = frames.with_result(runs, "alpha")
    if shown:
        gates.view(shown)
    else:
        components.not_ready(experiment, f"This page shows completed runs of {captions.methods(composed=True)}; "
                                         f"{captions.methods(composed=False)} have no gates.")
