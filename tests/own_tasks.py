"""A person's own tasks, in words of the demo language, and a small experiment that was really trained on them."""

from __future__ import annotations

from pathlib import Path

from compt_core.planning.check import check
from compt_core.runs.drain import drain
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.tasks import definition, own

KEPT, FILED = "shelter", "mill"  # a kept task, and one whose definition is given as a file
RAW = {"backbone": "demo", "methods": "pt,spp", "shots": "4", "steps": 2, "batch": 8, "sources": 2, "prompt_length": 3,
       "encoder_hidden": 5, "eval_rows": 12}
_NOUNS = ("doctor", "chef", "teacher", "singer", "writer", "pilot", "sailor", "tourist")
_PLACES = ("cellar", "attic", "shop", "prison", "garden", "forest", "street", "valley")


def rows(labels: tuple[str, str], shift: int = 0) -> str:
    """A CSV file with 24 rows: the first label for places that are inside."""
    lines = [f"the {noun} is in the {place},{labels[number >= 4]}" for noun in _NOUNS[:6]
             for number, place in enumerate(_PLACES) if (number + len(noun) + shift) % 2]
    return "\n".join(["text,label", *lines, ""])


def write(folder: Path, name: str, labels: tuple[str, str] = ("in", "out"), **more: str) -> Path:
    """A definition with train and dev files beside it in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_text(rows(labels), encoding="utf-8")
    (folder / "dev.csv").write_text(rows(labels, 1), encoding="utf-8")
    said = "".join(f"{key}: {value}\n" for key, value in more.items())
    (folder / "about.yaml").write_text(
        f"name: {name}\ntexts: [text]\nlabel: label\nlabels: {{{labels[0]}: inside, {labels[1]}: outside}}\n"
        f"data: {{train: rows.csv, dev: dev.csv}}\n{said}", encoding="utf-8")
    return folder / "about.yaml"


def trained(home: Path, folder: Path) -> str:
    """Trains two runs on a demo task, a kept task and one given as a file in `folder`, in the store of `home`, which is
    COMPT_HOME; the experiment's id."""
    own.keep_folder(definition.read(write(folder / "first", KEPT)))
    file = write(folder / "second", FILED, ("yes", "no"))
    experiment = build_experiment(RAW | {"tasks": f"demo-mood,{KEPT},{FILED}"})
    checked = check(experiment, own.catalogue(experiment.tasks, None, [file]))
    store = Store(home)
    identity = store.submit(checked.experiment, tasks=checked.tasks)
    done = drain(store, identity, lambda ahead: None)
    assert [run.state for run in done] == ["completed"] * 2, [run.error_message for run in done]
    store.close()
    return identity
