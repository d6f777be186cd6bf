"""The vocabulary pieces nearest to the vectors of a prompt, and the norms of all pieces, for the Prompt space page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app.show.captions import literal, plural
from compt_core.backbone.load import BackboneFiles, find_backbone
from compt_core.backbone.vocabulary import Nearest, nearest, norm_range, spelled
from compt_core.composition.geometry import Prompt, digest, norms
from compt_core.errors import BackboneError, ComptError
from compt_core.runs.record import RunRecord

MEASURES: Mapping[str, str] = {"cosine": "cosine", "dot": "dot product", "distance": "Euclidean distance"}
HELP = ("The cosine compares only directions. The dot product also favours long embeddings. The Euclidean distance "
        "compares positions: a prompt much longer than the embeddings is far from all of them.")
COUNT = 5


@dataclass(frozen=True)
class Vocabulary:
    """A run's backbone on disk, or why it cannot be read; the norms of its pieces (5%, median, 95%)."""

    files: BackboneFiles | None
    norms: tuple[float, float, float] | None
    problem: str = ""


def vocabulary(ref: str, trained_on: str | None) -> Vocabulary:
    """The vocabulary of the backbone `ref`, if it is on this machine and still has the hash `trained_on`. Opening a
    page downloads nothing."""
    try:
        return _read(ref, trained_on)
    except ComptError as error:  # not cached: a visitor may fix the problem in a moment
        return Vocabulary(None, None, str(error))


@st.cache_data(max_entries=16, ttl=600, show_spinner="Reading the backbone's vocabulary …")
def _read(ref: str, trained_on: str | None) -> Vocabulary:
    files = find_backbone(ref, fetch=False)
    if trained_on not in (None, files.digest()):
        raise BackboneError(f"The backbone '{ref}' is no longer the one that this run was trained on.")
    return Vocabulary(files, norm_range(files))


def of_run(run: RunRecord) -> Vocabulary:
    """The vocabulary of a run's backbone."""
    about = (run.versions or {}).get("backbone") or {}
    return vocabulary(run.config["backbone"], about.get("hash"))


def found(files: BackboneFiles, prompt: Prompt, measure: str) -> tuple[Nearest, list[list[str]]]:
    """The nearest pieces to every vector of a prompt, and their spelling."""
    return _found(files.digest(), digest(prompt.vectors), measure, files, prompt.vectors)


@st.cache_data(max_entries=64, show_spinner="Looking through the vocabulary …")
def _found(backbone: str, prompt: str, measure: str, _files: BackboneFiles,
           _vectors: np.ndarray) -> tuple[Nearest, list[list[str]]]:
    near = nearest(_files, _vectors, measure, COUNT)
    names = np.array(spelled(_files, near.ids), dtype=object).reshape(near.ids.shape)
    return near, names.tolist()


def table(prompt: Prompt, near: Nearest, names: list[list[str]]) -> pd.DataFrame:
    """A line per vector: its number, its norm, and its nearest pieces, each with how near it is."""
    shown = pd.DataFrame({"vector": range(1, len(prompt.vectors) + 1), "norm": norms(prompt.vectors)})
    for rank in range(near.ids.shape[1]):
        shown[f"nearest {rank + 1}"] = [f"{row[rank]} ({value:.3g})" for row, value in
                                        zip(names, near.values[:, rank], strict=True)]
    return shown


def numbers(prompt: Prompt, near: Nearest, names: list[list[str]], measure: str) -> pd.DataFrame:
    """The same for a file: a line per vector and piece."""
    return pd.DataFrame([{"prompt": prompt.name, "vector": i + 1, "rank": rank + 1, "piece": names[i][rank],
                          measure: float(near.values[i, rank])}
                         for i in range(len(names)) for rank in range(len(names[i]))])


def sentences(prompt: Prompt, near: Nearest, names: list[list[str]], measure: str) -> list[str]:
    """How many vectors are nearer to a piece than by chance, and which one is nearest."""
    best, (middle, beyond) = near.values[:, 0], near.chance
    hits = int((best < beyond).sum() if measure == "distance" else (best > beyond).sum())
    closest = int(best.argmin() if measure == "distance" else best.argmax())
    unit, number = MEASURES[measure], "is" if hits == 1 else "are"
    vectors = f"{hits} of the {plural(len(best), 'vector')} of {literal(prompt.name)}"
    side = "below" if measure == "distance" else "above"
    return [f"{vectors} {number} nearer to a piece than 95% of random directions of the same norm are ({unit} {side} "
            f"{beyond:.3g}; the random median is {middle:.3g}). The nearest is vector {closest + 1}, to "
            f"“{literal(names[closest][0])}” ({best[closest]:.3g})."]


NOTE = ("Trained prompts usually lie far from every piece of the vocabulary, and among so many pieces one is always "
        "somewhat near. Read a piece as a hint, and only if it is nearer than chance.")
SPACED = "“▁” is a space before the piece."
