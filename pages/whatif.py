"""What-if: attention, gates and prompts of a finished run as controls, and what moving them does to its answers."""

from app.ui import components
from app.whatif import terms, view
from compt_core.runs.record import State

components.header("What-if", "edit", "mute", "attention", "gates", "source prompt", "private prompt", "normaliser",
                  "dev score", "dev rows", "label probability", "counterfactual", "saliency", "nearest training rows",
                  "ablation table", "log-probability", "random move", "rank correlation", "SPP", "SCP",
                  own=terms.TERMS)
opened = components.open_results()
if opened:
    experiment, runs = opened
    completed = [run for run in runs if run.state == State.COMPLETED]
    if completed:
        view.view(experiment, completed)
    else:
        components.not_ready(experiment, "A run can be changed by hand once it has completed.")
