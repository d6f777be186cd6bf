"""Run studies in full and keep what they found. ``python benchmarks/studies.py NAME … [--seeds 0-4] [--help]``

Each study is run with its own settings as ``python -m compt_core study NAME`` does, in COMPT_HOME, and its reading,
figures and scores go to assets/studies/NAME.json, which the page Studies shows before anything was trained. A study
that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from setting import ROOT

from compt_core.runs.record import State
from compt_core.runs.store import Store
from compt_core.studies.bundled import FOLDER
from compt_core.studies.launch import launched


def run(name: str, words: list[str], again: bool) -> dict[str, Any]:
    """The JSON of a study, trained or gone on with; raises CalledProcessError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "out.json"
        given = ["--resume", "last"] if again else words
        subprocess.run([sys.executable, "-m", "compt_core", "study", name, *given, "--json", str(file)], cwd=ROOT,
                       check=True)
        return dict(json.loads(file.read_text(encoding="utf-8")))


def kept(found: dict[str, Any], store: Store, command: str) -> dict[str, Any]:
    """What is bundled of a study's JSON: all but the experiments, of which the scores of every run are enough."""
    ids = {part: of["experiment"] for part, of in found.pop("experiments").items()}
    runs = [(part, run) for part, identity in ids.items() for run in store.runs(identity) if run.result]
    # Runs of a fleet share its seconds, which are those of all of them.
    fleets = {run.fleet: run.result for _, run in runs if run.result}
    minutes = sum(one["train_seconds"] + one["eval_seconds"] for one in fleets.values()) / 60
    scores = [{"part": part, "row": run.variant, "shots": run.shots, "seed": run.seed,
               "tasks": {task: {name: None if value is None else round(value, 5) for name, value in of.items()}
                         for task, of in (run.result or {})["tasks"].items()}} for part, run in runs]
    config = store.experiment(next(iter(ids.values()))).config
    settings = {name: config[name] for name in ("backbone", "tasks", "shots", "steps", "batch", "eval_rows")}
    seeds = sorted({run.seed for _, run in runs})
    where = str((runs[0][1].result or {}).get("pace", {}).get("place", "")).rpartition(",")[0]
    return {**found, "command": command, "settings": {**settings, "seeds": seeds}, "minutes": round(minutes, 1),
            "where": where, "scores": scores}


def main() -> None:
    """Run the named studies one after another."""
    parser = argparse.ArgumentParser(prog="python benchmarks/studies.py", description=main.__doc__)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--seeds", help="of every study, in place of its own")
    given = parser.parse_args()
    words = ["--seeds", given.seeds] if given.seeds else []
    FOLDER.mkdir(exist_ok=True)
    for name in given.names:
        store = Store()
        before = launched(store, name)
        again = bool(before) and any(State.COMPLETED not in run.states or len(run.states) > 1
                                     for run in before[0].experiments.values())
        found = kept(run(name, words, again), store, " ".join(["python -m compt_core study", name, *words]))
        (FOLDER / f"{name}.json").write_text(json.dumps(found, indent=None, separators=(",", ":")) + "\n",
                                             encoding="utf-8")
        print(f"{name}: {len(found['scores'])} runs, {found['minutes']} minutes", flush=True)


if __name__ == "__main__":
    main()
