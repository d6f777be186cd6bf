"""The command `study`: every study ends with a reading, twice the same; and a new study is one folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compt_core import studies
from compt_core.errors import StoreError
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.studies import ablations, tuning
from compt_core.studies.table import known
from tests.cli.conftest import Call

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--tasks", "demo-mood,demo-opinion,demo-reword", "--steps", "3", "--shots", "4",
         "--set", "batch=3", "--set", "eval_rows=6", "--set", "watch_rows=0")
NEW = '''
"""Whether more sources help."""

from compt_core.studies.study import Evidence, Figure, Reading, Study, by_seed, mean


def plan(base):
    """SPP with one, two and four sources."""
    own = base["variants"]["spp"]
    return {"all": {**base, "variants": {f"S={s}": {**own, "sources": s} for s in (1, 2, 4)}}}


def measure(evidence: Evidence) -> Reading:
    """The mean score of each row."""
    runs = evidence.runs()
    rows = {row: mean(list(by_seed(runs, row).values())) for row in dict.fromkeys(run.variant for run in runs)}
    best = max(rows, key=lambda row: rows[row].value)
    said = f"{best} is best with {rows[best]}."
    table = tuple((row, 100 * one.value, "score", one.bar) for row, one in rows.items())
    figure = Figure("scores", "Score by sources", "dots", ("row", "score", "of", "half"), table, said)
    return Reading((said,), (figure,), {"best": best})


STUDY = Study("sources", "Sources", "Do more sources help?", "SPP with one, two and four sources.",
              ("Other numbers were not tried.",), plan, measure, {"preset": "demo", "methods": ["spp"]},
              {"preset": "demo", "methods": ["spp"]})
'''


@pytest.mark.parametrize("name", sorted(known()))
def test_every_study_ends_with_a_reading(call: Call, home: Path, tmp_path: Path, name: str,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablations, "MOST", 6)  # of 36 settings: this is about the way to the reading
    monkeypatch.setattr(tuning, "TRIALS", 2)
    methods = ("--methods", "pt,spp") if name not in ("ablations", "relatedness") else ()
    small = (*SMALL[:1], SMALL[1] + ",demo-follows", *SMALL[2:]) if name == "relatedness" else SMALL
    made = []
    for _ in range(2 if name == "forgetting" else 1):
        seeds = ("--seeds", "0,1" if name == "forgetting" else "0")
        done = call("study", name, "--quick", *small, *methods, *seeds, "--json", str(tmp_path / "out.json"))
        assert done.code == 0, done.err
        made.append(json.loads((tmp_path / "out.json").read_text()))
        assert all(sentence in " ".join(done.out.split()) for sentence in made[-1]["reading"][:1])
    assert made[0]["numbers"] == made[-1]["numbers"] and made[0]["reading"] and made[0]["figures"]
    for figure in made[0]["figures"]:
        assert figure["reading"] and all(len(row) == len(figure["columns"]) for row in figure["rows"])


def test_a_killed_study_goes_on_and_finds_the_same(call: Call, home: Path, tmp_path: Path) -> None:
    words = ["study", "shots", "--quick", *SMALL[:2], "--methods", "mst", "--shots", "4", "--steps", "60", *SMALL[6:]]
    whole = tmp_path / "whole.json"
    assert call(*words, "--json", str(whole)).code == 0
    other = tmp_path / "other"
    environment = {**os.environ, "COMPT_HOME": str(other), "COMPT_CHECKPOINT_SECONDS": "0"}
    process = subprocess.Popen([sys.executable, "-m", "compt_core", *words], env=environment, cwd=ROOT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 90
        while not any(run.checkpoint for run in stored(other)) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert any(run.checkpoint for run in stored(other)) and {run.state.value for run in stored(other)} == {"running"}
    environment["COMPT_CHECKPOINT_SECONDS"] = "60"
    gone_on = tmp_path / "gone_on.json"
    done = subprocess.run([sys.executable, "-m", "compt_core", "study", "shots", "--resume", "last", "--json",
                           str(gone_on)], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(gone_on.read_text())["numbers"] == json.loads(whole.read_text())["numbers"]


def stored(home: Path) -> list[RunRecord]:
    """The runs of a home, none before it has a store."""
    if not (home / "compt.db").exists():
        return []
    try:
        store = Store(home)
        return [run for one in store.experiments() for run in store.runs(one.id)]
    except StoreError:  # it is being made
        return []


def test_a_new_study_is_one_folder(call: Call, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "__init__.py").write_text(NEW)
    monkeypatch.setattr(studies, "__path__", [*studies.__path__, str(tmp_path)])
    assert "Do more sources help?" in call("study").out
    done = call("study", "sources", *SMALL, "--json", str(tmp_path / "out.json"))
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "out.json").read_text())["numbers"]["best"] in ("S=1", "S=2", "S=4")
    assert len(NEW.splitlines()) < 40


@pytest.mark.parametrize(("words", "said"), [
    (("forgeting",), "Did you mean 'forgetting'?"), (("forgetting", "--tasks", "demo-mood"), "needs at least 2. Got 1"),
    (("forgetting", "--set", "phases=demo-mood,demo-cola"), "Got 'demo-cola', which is not among"),
    (("forgetting", "--set", "phases=demo-mood+demo-opinion,demo-reword,demo-follows"), "one task in each phase"),
    (("relatedness", "--tasks", "demo-mood,demo-echo"), "needs at least 3. Got 2"),
    (("pretrained", "--tasks", "demo-mood,demo-reword"), "more tasks than families"),
    (("shots", "--shots", "0"), "an integer in [1, 1024]"), (("shots", "--tasks", "demo-moods"), "demo-moods"),
    (("forgetting", "--steps", "2"), "Got 4 phases and 2 steps"), (("tuning", "--seeds", "0,1000"), "Got 1000"),
    (("shots", "--resume", "last"), "--resume goes on with the settings of the launch"),
])
def test_each_mistake_is_one_sentence_and_nothing_is_queued(call: Call, home: Path, words: tuple[str, ...], said: str
                                                            ) -> None:
    done = call("study", *words, *(() if "forgeting" in words else ("--quick",)))
    assert done.code == 2 and done.out == "" and said in done.err, done.err
    assert len(done.err.splitlines()) == 1 and not (home / "compt.db").exists()
