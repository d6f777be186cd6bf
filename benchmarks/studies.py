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


def kept(found: dict[str, Any], command: str) -> dict[str, Any]:
    """What is bundled of a study's JSON: all but the experiments, of which the scores of every run are enough."""
    experiments = found.pop("experiments")
    runs = [(part, one) for part, of in experiments.items() for one in of["runs"] if one["result"]]
    first = next(iter(experiments.values()))["experiment"]
    where = runs[0][1]["result"].get("pace", {}).get("place", "")
    # Runs of a fleet share its pace, and its seconds are those of all of them.
    fleets = {json.dumps(one["result"].get("pace"), sort_keys=True): one["result"] for _, one in runs}
    minutes = sum(one["train_seconds"] + one["eval_seconds"] for one in fleets.values()) / 60
    scores = [{"part": part, "row": one["variant"], "shots": one["shots"], "seed": one["seed"],
               "tasks": {task: {key: None if value is None else round(value, 5) for key, value in of.items()}
                         for task, of in one["result"]["tasks"].items()}} for part, one in runs]
    settings = {key: first["config"][key] for key in ("backbone", "tasks", "shots", "seeds", "steps", "batch",
                                                      "eval_rows")}
    return {**found, "command": command, "settings": settings, "minutes": round(minutes, 1), "where": where,
            "scores": scores}


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
        found = kept(run(name, words, again), " ".join(["python -m compt_core study", name, *words]))
        (FOLDER / f"{name}.json").write_text(json.dumps(found, indent=None, separators=(",", ":")) + "\n",
                                             encoding="utf-8")
        print(f"{name}: {len(found['scores'])} runs, {found['minutes']} minutes", flush=True)


if __name__ == "__main__":
    main()
