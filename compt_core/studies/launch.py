"""A study in the store: its experiments, submitted part by part, found again, and read. Loads no torch.

Each experiment of a study has a mark in its settings, ``NAME/INSTANCE/PART``, so that a study is found by its
experiments alone: it can be exported, imported and deleted with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compt_core.errors import StoreError, quoted
from compt_core.planning.check import LaunchCheck, check
from compt_core.runs.ids import new_id
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.studies.study import Evidence, Raw, Reading, Study
from compt_core.studies.table import known
from compt_core.tasks.own import catalogue

MOST = 500  # experiments that are looked through


@dataclass(frozen=True)
class Launched:
    """A study that was launched: its experiments by part, oldest first."""

    study: str
    instance: str
    experiments: Mapping[str, ExperimentRecord]


def planned(study: Study, given: Raw, *, quick: bool = False) -> dict[str, LaunchCheck]:
    """Part -> its checked experiment, from the study's own settings and what a person gave over them.

    Raises ConfigError with every problem found. An `init` that names an earlier part is checked when it is submitted.
    """
    start = study.quick if quick else study.start
    base = {**start, **given}
    if given.get("backbone", "demo") != "demo" and "preset" not in given:  # its settings suit the demo's backbone
        base.pop("preset", None)
    instance, found = new_id(), dict[str, LaunchCheck]()
    for part, raw in study.plan(whole(base)).items():
        experiment = build_experiment({**raw, "study": f"{study.name}/{instance}/{part}"})
        found[part] = check(experiment, catalogue(experiment.tasks, experiment.data_dir))
    return found


def whole(raw: Raw) -> Raw:
    """Settings with those of their preset written out, so that a plan can look at them. Raises ConfigError."""
    experiment = build_experiment(raw)
    values = experiment.model_dump(mode="json")
    return values if experiment.gates == "fixed" else {k: v for k, v in values.items() if k not in ("alpha", "beta")}


def submit(store: Store, checks: Mapping[str, LaunchCheck], owner: str = "local") -> dict[str, str]:
    """Queues the parts of a study; part -> id of its experiment. Raises ConfigError."""
    ids: dict[str, str] = {}
    for part, checked in checks.items():
        experiment = checked.experiment
        rows = {name: {key: _with_ids(value, ids) if key in ("init", "after") else value for key, value in own.items()}
                for name, own in experiment.variants.items()}
        ids[part] = store.submit(experiment.model_copy(update={"variants": rows}), owner=owner, tasks=checked.tasks)
    return ids


def _with_ids(lines: object, ids: Mapping[str, str]) -> object:
    """The names in `init` or `after` with ids of experiments in place of names of parts."""
    if not isinstance(lines, str):
        return [_with_ids(line, ids) for line in lines] if isinstance(lines, list | tuple) else lines
    for part, experiment in ids.items():
        lines = lines.replace(f"={part}/", f"={experiment}/")
    return lines


def launched(store: Store, name: str = "") -> list[Launched]:
    """The studies in the store, newest first; only those called `name`, if given."""
    found: dict[tuple[str, str], dict[str, ExperimentRecord]] = {}
    for record in store.experiments(MOST):
        study, _, rest = record.config.get("study", "").partition("/")
        instance, _, part = rest.partition("/")
        if study in known() and part and name in ("", study):
            found.setdefault((study, instance), {})[part] = record
    return [Launched(study, instance, dict(reversed(parts.items()))) for (study, instance), parts in found.items()]


def read(store: Store, study: Study, experiments: Mapping[str, str]) -> Reading | None:
    """What the completed runs of a study say; None while a part has none. Raises StoreError for an unknown id."""
    parts: dict[str, Sequence[RunRecord]] = {
        part: [run for run in store.runs(identity) if run.state == State.COMPLETED]
        for part, identity in experiments.items()}
    if not all(parts.values()):
        return None
    try:
        return study.measure(Evidence(parts, lambda runs, kind: store.curves([run.id for run in runs], kind)))
    except (KeyError, IndexError, ValueError) as error:  # runs that a person changed or deleted
        raise StoreError(f"The study {quoted(study.name)} cannot be read from these runs ({error}). Resume or launch "
                         "what is missing.") from None
