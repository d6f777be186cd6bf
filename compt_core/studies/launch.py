"""A study in the store: its experiments, submitted part by part, found again, and read. Loads no torch.

Each experiment of a study has a mark in its settings, ``NAME/INSTANCE/PART``, so that a study is found by its
experiments alone: it can be exported, imported and deleted with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from filelock import FileLock

from compt_core.errors import StoreError, quoted
from compt_core.planning.check import LaunchCheck, check
from compt_core.runs.ids import new_id
from compt_core.runs.record import ACTIVE, ExperimentRecord, RunRecord, State
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.studies.study import Evidence, Raw, Reading, Study
from compt_core.studies.table import known
from compt_core.tasks.own import catalogue

MOST = 500  # experiments that are looked through
LOCK = "studies.lock"  # in the home: held while the next parts of a study are submitted
MOVING = ACTIVE | {State.PAUSED, State.INTERRUPTED}  # runs whose study must not go on without them


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
    return _checked(study, new_id(), study.plan(whole(base)))


def _checked(study: Study, instance: str, parts: Mapping[str, Raw]) -> dict[str, LaunchCheck]:
    """Part -> its checked experiment with its mark. Raises ConfigError."""
    found = dict[str, LaunchCheck]()
    for part, raw in parts.items():
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


def instance_of(checks: Mapping[str, LaunchCheck]) -> str:
    """The id of the launch that these parts are of, which is in the mark of each."""
    return next(iter(checks.values())).experiment.study.split("/")[1]


def go_on(store: Store, one: Launched, owner: str = "local") -> dict[str, str]:
    """Submits the parts that follow from what a study has found; part -> id of its experiment. None while a run may
    still move, where runs are missing, and when the study is at its end. Two callers never submit the same part."""
    study = known()[one.study]
    if study.grow is None:
        return {}
    with FileLock(store.home / LOCK):
        one = next(now for now in launched(store, study.name) if now.instance == one.instance)
        runs = {part: store.runs(record.id) for part, record in one.experiments.items()}
        if any(run.state in MOVING for own in runs.values() for run in own) or not all(
                any(run.state == State.COMPLETED for run in own) for own in runs.values()):
            return {}
        parts = {part: whole({name: value for name, value in record.config.items() if value is not None})
                 for part, record in one.experiments.items()}
        found = study.grow(parts, _evidence(store, runs))
        return submit(store, _checked(study, one.instance, found), owner)


def advance(store: Store) -> bool:
    """Lets every study in the store go on; whether anything was submitted. For workers with nothing to do."""
    return sum(len(go_on(store, one, next(iter(one.experiments.values())).owner)) for one in launched(store)) > 0


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
    runs = {part: store.runs(identity) for part, identity in experiments.items()}
    evidence = _evidence(store, runs)
    done = {part: own for part, own in evidence.parts.items() if own}
    if not done or (len(done) < len(evidence.parts) and study.grow is None):
        return None
    try:
        return study.measure(replace(evidence, parts=done))
    except (KeyError, IndexError, ValueError) as error:  # runs that a person changed or deleted
        raise StoreError(f"The study {quoted(study.name)} cannot be read from these runs ({error}). Resume or launch "
                         "what is missing.") from None


def _evidence(store: Store, runs: Mapping[str, Sequence[RunRecord]]) -> Evidence:
    """The completed runs among those of each part."""
    return Evidence({part: [run for run in own if run.state == State.COMPLETED] for part, own in runs.items()},
                    lambda some, kind: store.curves([run.id for run in some], kind))
