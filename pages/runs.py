"""Runs: the experiments, and one of them live: states, queue, progress, loss. Reads only the store."""

from app.report import downloads
from app.runs import again, bringing, live, terms
from app.ui import actions, components, services, state

components.header("Runs", "fleet", "optimizer step", "PT", "MST", "MPT", "SPP", "SCP", "shots", "seed",
                  "backbone", "diagnosis", "overfitting", "dead source", "norm of a part", own=terms.TERMS)
experiment = state.open_experiment(services.store())
if experiment is None:
    components.empty_state("No runs yet", "Launch an experiment, or run the demo on Home. Its progress appears here.",
                           "launch", "home")
    bringing.box()
else:
    components.experiment_picker(experiment)
    components.provenance(experiment)
    components.no_worker_note()
    actions.bar(experiment)
    again.bar(experiment)
    live.view(experiment)
    downloads.bar(experiment)
    live.log(experiment)
    bringing.box()
