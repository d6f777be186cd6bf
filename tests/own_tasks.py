"""A person's own tasks in words of the demo language: two small ones and an experiment that was really trained on them,
and rows in six public schemas."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compt_core.language.lexicon import content_words
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
# Six public schemas: name -> words that the demo backbone has pieces for, one for each label in the order in which the
# labels are found; none for numbers.
PUBLIC: dict[str, tuple[str, ...]] = {
    "trec": ("clothing", "creature", "animal", "street", "device", "actor"), "news": ("road", "harbor", "shop", "lamp"),
    "boolq": ("false", "true"), "wic": ("false", "true"), "cb": ("contradiction", "entailment", "neutral"), "sick": ()}


def public_rows(name: str, count: int = 70) -> list[dict[str, Any]]:
    """Rows in the words of the demo language, in a schema of PUBLIC."""
    dice, words = random.Random(name), content_words()

    def said(count: int) -> str:
        return " ".join(dice.choice(words) for _ in range(count))

    make: dict[str, Callable[[int], dict[str, Any]]] = {
        "trec": lambda i: {"text": said(5), "coarse_label": ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")[i % 6],
                           "fine_label": f"f{i}"},
        "news": lambda i: {"Class Index": i % 4 + 1, "Title": said(4), "Description": said(8)},
        "boolq": lambda i: {"question": said(5), "answer": i % 2 == 0, "passage": said(150)},
        "wic": lambda i: {"word": said(1), "sentence1": said(6), "sentence2": said(6), "idx": i, "label": i % 2 == 1},
        "cb": lambda i: {"premise": said(9), "hypothesis": said(4), "label": PUBLIC["cb"][i % 3]},
        "sick": lambda i: {"pair_ID": i, "sentence_A": said(5), "sentence_B": said(5), "relatedness_score": i % 5}}
    return [make[name](i) for i in range(count)]


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
