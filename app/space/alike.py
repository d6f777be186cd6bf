"""Prompts compared: their cosines and norms, and what these say about tasks and sources. Pure.

N prompts · D numbers of each that are compared · S sources · K tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from app.show.captions import listed, literal, plural
from app.show.weights import related
from compt_core.analysis.relatedness import mantel
from compt_core.composition.geometry import (
    COMPOSED,
    PRIVATE,
    SOURCE,
    Prompt,
    chance,
    cosines,
    norms,
    one_length,
    rms,
    rows,
)
from compt_core.tasks.catalogue import Catalogue

IMPORTED, SECOND = "imported", "second"  # groups besides a run's own; a second run's are "second source" and so on
_NAMED = 4  # tasks in a sentence


@dataclass(frozen=True)
class Compared:
    """Prompts, whether they are compared whole, the numbers [N, D] that are compared, their cosines [N, N], and the
    definitions of their tasks."""

    prompts: tuple[Prompt, ...]
    whole: bool
    values: np.ndarray
    cosines: np.ndarray
    tasks: Catalogue

    @property
    def names(self) -> list[str]:
        """The prompts' names in figures, each only once."""
        return [one.name for one in self.prompts]

    def of(self, group: str) -> np.ndarray:
        """The positions of the prompts of a group."""
        return np.array([i for i, one in enumerate(self.prompts) if one.group == group], dtype=int)

    def related(self, owners: Sequence[str]) -> np.ndarray | None:
        """Known relatedness of the tasks called `owners`, as `weights.related` gives it."""
        return related([self.tasks.family(owner) for owner in owners])


def compare(prompts: Sequence[Prompt], whole: bool, tasks: Catalogue) -> Compared:
    """Compares prompts (at least one) of the run of these `tasks` or from elsewhere. They are compared whole if asked
    and all of one length, else by the mean of their vectors."""
    whole = whole and one_length([one.vectors.shape for one in prompts])
    values = rows([one.vectors for one in prompts], whole)
    return Compared(tuple(prompts), whole, values, cosines(values), tasks)


def how(shown: Compared, asked_whole: bool) -> str:
    """Which part of the prompts is compared, and why."""
    hidden, dimensions = shown.prompts[0].vectors.shape[1], shown.values.shape[1]
    if shown.whole:
        return f"Prompts are compared number by number, each as one direction of {plural(dimensions, 'number')}."
    lengths = sorted({len(one.vectors) for one in shown.prompts})
    differ = asked_whole and len(lengths) > 1
    why = f"because their lengths differ ({listed(lengths)} vectors)" if differ else "as chosen"
    return f"Prompts are compared by the mean of their vectors ({plural(hidden, 'number')}), {why}."


def sentences(shown: Compared) -> list[str]:
    """What the cosines say about private prompts and sources, families, sources, and prompts from elsewhere."""
    found = [*_nearest_sources(shown), *_families(shown, PRIVATE), *_families(shown, COMPOSED), *_sources(shown),
             *_second(shown), *_imported(shown)]
    if not found and len(shown.prompts) > 1:
        apart = shown.cosines[np.triu_indices(len(shown.prompts), k=1)]
        found = [f"The cosines lie between {two(apart.min())} and {two(apart.max())}, {two(apart.mean())} on average."]
    return found or ["There is only one prompt, so there is nothing to compare it with."]


def level(shown: Compared) -> str:
    """How large a cosine must be to be more than chance."""
    dimensions = shown.values.shape[1]
    return (f"By chance, 95% of pairs of random directions in {plural(dimensions, 'dimension')} have a cosine between "
            f"−{chance(dimensions):.2f} and {chance(dimensions):.2f}.")


def _nearest_sources(shown: Compared) -> list[str]:
    """Which source each private prompt is nearest to, and for how many tasks that is beyond chance."""
    private, sources = shown.of(PRIVATE), shown.of(SOURCE)
    if not len(private) or not len(sources):
        return []
    near = shown.cosines[np.ix_(private, sources)]
    best, at = np.abs(near).max(1), np.abs(near).argmax(1)
    limit = chance(shown.values.shape[1], len(sources))
    told = np.flatnonzero(best > limit)
    told = told[np.argsort(-best[told], kind="stable")]
    said = (f"{len(told)} of {plural(len(private), 'private prompt')} {'has' if len(told) == 1 else 'have'} a cosine "
            f"beyond ±{limit:.2f} with a source (among {len(sources)}, one random direction in twenty reaches that by "
            "chance)")
    named = [f"{literal(shown.prompts[private[k]].owner)} with {shown.prompts[sources[at[k]]].owner} "
             f"({two(near[k, at[k]])})" for k in told[:_NAMED]]
    most = f". The nearest are {listed(named)}" if len(told) > _NAMED else f": {listed(named)}" if named else ""
    return [f"{said}{most}."]


def _families(shown: Compared, group: str) -> list[str]:
    """Mean cosine within and between families with Mantel's test; [] if the families say nothing."""
    at = shown.of(group)
    truth = shown.related([shown.prompts[i].owner for i in at])
    if truth is None:
        return []
    own, pairs = shown.cosines[np.ix_(at, at)], np.triu_indices(len(at), k=1)
    same = truth[pairs] > 0
    test = mantel([own], truth)
    verdict = "beyond chance" if test.p < 0.05 else "not beyond chance"
    return [f"{group.capitalize()} prompts have a mean cosine of **{two(own[pairs][same].mean())}** within a family of "
            f"tasks and **{two(own[pairs][~same].mean())}** between families. In this one run that is {verdict} "
            f"(Mantel's test, which shuffles the tasks: r = {test.r:.2f}, p = {test.p:.2g})."]


def _sources(shown: Compared) -> list[str]:
    at = shown.of(SOURCE)
    if len(at) < 2:
        return []
    own = shown.cosines[np.ix_(at, at)][np.triu_indices(len(at), k=1)]
    span = f"between {two(own.min())} and {two(own.max())}" if len(own) > 1 else f"of {two(own[0])}"
    return [f"The {plural(len(at), 'source')} have cosines {span} with each other."]


def _second(shown: Compared) -> list[str]:
    """Whether a task's prompts in the two runs are nearer to each other than to the prompts of other tasks."""
    found = []
    for group in (PRIVATE, COMPOSED):
        here, there = shown.of(group), shown.of(f"{SECOND} {group}")
        if len(here) < 2 or len(here) != len(there):
            continue
        near = shown.cosines[np.ix_(here, there)]
        others = near[~np.eye(len(here), dtype=bool)]
        found.append(f"A task's {group} prompt has a mean cosine of {two(np.diag(near).mean())} with the second run's "
                     f"prompt of the same task, and of {two(others.mean())} with its prompts of other tasks.")
    return found


def _imported(shown: Compared) -> list[str]:
    """What each prompt from elsewhere is nearest to."""
    at = shown.of(IMPORTED)
    others = np.setdiff1d(np.arange(len(shown.prompts)), at)
    if not len(at) or not len(others):
        return []
    near = shown.cosines[np.ix_(at, others)]
    limit = chance(shown.values.shape[1], len(others))
    named = [f"**{literal(shown.prompts[i].owner)}** is nearest to {literal(shown.prompts[others[row.argmax()]].name)} "
             f"({two(row.max())})" for i, row in zip(at[:_NAMED], near, strict=False)]
    more = f"; {len(at) - _NAMED} more are in the figure" if len(at) > _NAMED else ""
    return [f"Imported: {listed(named)}{more}. By chance, the nearest of {plural(len(others), 'random direction')} has "
            f"a cosine below {limit:.2f} in 95% of cases."]


def sizes(prompts: Sequence[Prompt]) -> pd.DataFrame:
    """For each prompt: name, group, norm of its vectors (root mean square, lowest, highest), rms of its numbers."""
    each = [norms(one.vectors) for one in prompts]
    return pd.DataFrame({
        "name": [one.name for one in prompts], "group": [one.group for one in prompts],
        "norm": [rms(one[None]) for one in each],
        "lowest": [float(one.min()) for one in each], "highest": [float(one.max()) for one in each],
        "rms": [rms(one.vectors) for one in prompts], "vectors": [len(one) for one in each]})


def size_sentences(table: pd.DataFrame, vocabulary: tuple[float, float, float] | None) -> list[str]:
    """How large each group's vectors are, compared with the vocabulary's median."""
    found = []
    for group, part in table.groupby("group", sort=False):
        middle, low, high = part["norm"].median(), part["norm"].min(), part["norm"].max()
        span = f" at the median ({_number(low)} to {_number(high)})" if len(part) > 1 else ""
        times = f", {_number(middle / vocabulary[1])} times the size of a word's embedding" if vocabulary else ""
        found.append(f"{str(group).capitalize()}: the vectors of {plural(len(part), 'prompt')} have a norm of "
                     f"{_number(middle)}{span}{times}.")
    if vocabulary:
        found.append(f"Vocabulary: the embeddings of its pieces have a norm of {_number(vocabulary[1])} at the median "
                     f"(90% of them lie between {_number(vocabulary[0])} and {_number(vocabulary[2])}).")
    if zeros := int((table["norm"] == 0).sum()):
        found.append(f"{plural(zeros, 'prompt')} of zeros cannot be shown on a logarithmic axis.")
    return found


def family_of(one: Prompt, tasks: Catalogue) -> str | None:
    """The family of a task's prompt; None for a source, an imported prompt, or a task without a family."""
    known = tasks.family(one.owner)
    return None if one.group.endswith(SOURCE) or one.group == IMPORTED or known == one.owner else known


def two(cosine: float) -> str:
    """A cosine with two digits, never a negative zero."""
    return f"{cosine:.2f}".replace("-0.00", "0.00")


def _number(value: float) -> str:
    """A number of any size, with three digits."""
    return f"{value:,.0f}" if 100 <= value < 1e6 else f"{value:.3g}"
