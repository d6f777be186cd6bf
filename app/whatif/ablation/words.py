"""What an ablation table shows, in sentences, and how little it may prove. Pure; no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.show.captions import listed, literal, plural
from compt_core.tasks.catalogue import Catalogue
from compt_core.whatif.effects import (
    PROBABILITY,
    SCORE,
    Ablation,
    Effects,
    Over,
    Relation,
    over,
    relation,
    side_by_side,
)

NAMES = {SCORE: "dev score", PROBABILITY: "log-probability"}
LEVEL = 0.05
_WEAK, _STRONG = 0.3, 0.7  # correlations that are called so
_AS_GOOD = 0.15  # by how much two correlations may differ and still be called about the same
_NAMED = 3  # cells in a sentence
_EVEN = "an even share"
WORTH = {SCORE: 0.01, PROBABILITY: 0.02}  # what is less can be told from 0 on many rows, and is nothing to speak of

Place = tuple[int, int]  # task, source


def amount(measure: str, value: float, signed: bool = True) -> str:
    """A change with its unit: ``"-51.0 points"``, ``"+0.25 nats"``; a value, not `signed`, has no plus."""
    number = f"{100 * value:.1f}" if measure == SCORE else f"{value:.2f}"
    number = number.lstrip("-") if float(number) == 0 else number
    return f"{'+' if signed and float(number) > 0 else ''}{number} {'points' if measure == SCORE else 'nats'}"


def reading(table: Ablation, measure: str, ranked: Sequence[str] | None = None) -> list[str]:
    """Everything that can be said of one run by one measure (Markdown); `ranked` is what :func:`ranks` says, which
    takes a moment."""
    muted = table.muted[measure]
    return [*_told(table, measure, muted), *_weights_against_effects(table, measure, muted),
            *(ranks(table, measure) if ranked is None else ranked), *parts(table, measure)]


def _told(table: Ablation, measure: str, muted: Effects) -> list[str]:
    told, cells = muted.corrected < LEVEL, int((table.weights != 0).sum())
    before, matters = int((muted.p < LEVEL).sum()), marked(muted, measure)
    found = [f"Muting one source changes the {NAMES[measure]} beyond chance in **{int(told.sum())} of "
             f"{plural(cells, 'cell')}** (p < {LEVEL} after Holm's correction over all cells), in {int(matters.sum())} "
             f"of them by {amount(measure, WORTH[measure], signed=False)} or more. Without the correction it would be "
             f"{before}, and at most about {LEVEL * cells:.0f} by chance alone if muting never did anything."]
    if zero := table.weights.size - cells:
        found.append(f"{plural(zero, 'cell')} with weight 0: muting changes nothing there, by construction.")
    for said, places in (("Most is lost", _places(matters & (muted.change < 0), muted.change)),
                         ("Muting helps", _places(matters & (muted.change > 0), -muted.change))):
        if places:
            more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
            names = [f"**{literal(table.tasks[k])}** without **s{s}** ({amount(measure, muted.change[k, s])}, weight "
                     f"{table.weights[k, s]:.2f})" for k, s in places[:_NAMED]]
            found.append(f"{said}: {', '.join(names) + more if more else listed(names)}.")
    return found


def marked(effects: Effects, measure: str) -> np.ndarray:
    """Which effects are told from 0 after correction and large enough to speak of."""
    return np.asarray((effects.corrected < LEVEL) & (np.abs(effects.change) >= WORTH[measure]))


def _places(where: np.ndarray, by: np.ndarray) -> list[Place]:
    """The cells that `where` marks, the smallest of `by` first."""
    return sorted(((int(k), int(s)) for k, s in np.argwhere(where)), key=lambda place: float(by[place]))


def _weights_against_effects(table: Ablation, measure: str, muted: Effects) -> list[str]:
    sums, sources = table.weights.sum(1, keepdims=True), table.weights.shape[1]
    if sources < 2:
        return []
    share = table.weights / np.where(sums > 0, sums, 1)
    large, small = share > 1 / sources, (share < 0.5 / sources) & (share > 0)
    worth = np.abs(muted.change) >= WORTH[measure]
    idle, loud = large & ~(worth & (muted.p < LEVEL)), small & marked(muted, measure)
    least = amount(measure, WORTH[measure], signed=False)
    found = []
    if idle.any():
        found.append(f"Large weight, no effect: of {plural(int(large.sum()), 'weight')} above {_EVEN} "
                     f"(1/{sources} of its task's), {int(idle.sum())} can be muted without a change of {least} or more "
                     f"that is told from 0 even before correction"
                     f"{_examples(table, measure, muted, _places(idle, -share))}.")
    elif large.any():
        found.append(f"Every weight above {_EVEN} (1/{sources} of its task's) has an effect.")
    if loud.any():
        found.append(f"Small weight, large effect: {plural(int(loud.sum()), 'weight')} below half of {_EVEN} "
                     f"{'has' if loud.sum() == 1 else 'have'} an effect of {least} or more beyond chance all the same"
                     f"{_examples(table, measure, muted, _places(loud, -np.abs(muted.change)))}.")
    elif small.any():
        found.append(f"Small weight, large effect: none of the {plural(int(small.sum()), 'weight')} below half of "
                     f"{_EVEN} has an effect of {least} or more beyond chance.")
    return found


def _examples(table: Ablation, measure: str, muted: Effects, places: Sequence[Place]) -> str:
    names = [f"{literal(table.tasks[k])} s{s} (weight {table.weights[k, s]:.2f}, {amount(measure, muted.change[k, s])})"
             for k, s in places[:_NAMED]]
    return f", such as {listed(names)}" if len(places) > _NAMED else f": {listed(names)}"


def ranks(table: Ablation, measure: str) -> list[str]:
    """Whether a large weight means a large effect in one run, and how much of that is so for any move of a prompt."""
    muted = table.muted[measure]
    sizes, lost = (relation(table.weights, one) for one in (np.abs(muted.change), -muted.change))
    if sizes is None:
        return ["There is no order to compare: no task has both two different weights and two different effects. "
                "Weights that are uniform, or fixed alike, say nothing of which source matters."]
    found = [f"Weight and size of effect have a rank correlation of **{sizes.r:.2f}** over "
             f"{plural(sizes.cells, 'cell')} ({_p(sizes.p)}, sources permuted within each task), {sizes.within:.2f} "
             f"within a task on average: in this run a larger weight {_means(sizes.within)} a larger effect."]
    if lost is not None:
        found.append(f"With the sign of the effect, as what is lost by muting, it is {lost.r:.2f} ({_p(lost.p)}); "
                     f"{lost.within:.2f} within a task.")
    return [*found, _control(table, measure, sizes)]


def _control(table: Ablation, measure: str, sizes: Relation) -> str:
    if table.shifted is None:
        return ("How little this may show: without a source of large weight the prompt also moves farther, whatever "
                "that source holds. The control, random moves of the same length, says how much that alone explains.")
    kept, shifted = table.weights != 0, table.shifted[measure]
    random = relation(table.weights, np.abs(shifted.change), permutations=1)
    if random is None:
        return "Random moves of the same length change nothing that could be ranked."
    of_muting, of_random = (amount(measure, float(np.abs(one.change[kept]).mean()), signed=False)
                            for one in (table.muted[measure], shifted))
    return (f"Control: moving the prompt as far in a random direction changes a cell by {of_random} on average, muting "
            f"by {of_muting}; the random moves' rank correlation with the weights is {random.r:.2f} "
            f"({random.within:.2f} within a task; one move a cell, in one run). "
            f"{_verdict(sizes.within - random.within > _AS_GOOD)}")


def _verdict(more: bool) -> str:
    if more:
        return "The weights rank random moves less well: the order is more than that of how far the prompt moves."
    return ("The weights rank random moves about as well: so the order is that of how far the prompt moves, and no "
            "sign that attention gives its large weights to the sources that hold what a task needs.")


def _means(r: float) -> str:
    return "hardly means" if r < _WEAK else "partly means" if r < _STRONG else "mostly means"


def _p(p: float) -> str:
    return f"one-sided p = {p:.2g}"


def parts(table: Ablation, measure: str) -> list[str]:
    """On which of its two parts a run stands."""
    if table.private_off is None or table.shared_off is None:
        return ["One of the two parts is all that this run's prompts are made of; it cannot be switched off."]
    private, shared = table.private_off[measure], table.shared_off[measure]
    means = [float(np.nanmean(one.change)) for one in (private, shared)]
    leans = "the shared part" if means[1] < means[0] else "the private prompts"
    found = [f"Without the private prompts the mean over tasks changes by {amount(measure, means[0])}, without the "
             f"shared part by {amount(measure, means[1])}: this run stands more on **{leans}**. On "
             f"{int((private.change < shared.change).sum())} of {plural(len(table.tasks), 'task')} more is lost "
             "without the private prompt."]
    beyond = side_by_side(private, shared).corrected[:, 1] < LEVEL
    alone = [task for k, task in enumerate(table.tasks) if shared.change[k] < 0 and beyond[k]
             and not (table.muted[measure].p[k] < LEVEL).any()]
    if alone:
        found.append(f"On {listed([literal(task) for task in alone])} the shared part matters though no single source "
                     "of it does: sources can stand in for each other, which muting one at a time cannot show.")
    muted, told = table.muted[measure], marked(table.muted[measure], measure)
    worse = [task for k, task in enumerate(table.tasks) if (told[k] & (muted.high[k] < shared.low[k])).any()]
    if worse:
        found.append(f"On {listed([literal(task) for task in worse])} muting one source costs more than leaving out "
                     "the whole shared part: what is then left of it misleads.")
    return found


def cell(table: Ablation, measure: str, task: str, source: str) -> str:
    """One source muted for one task."""
    k, s = table.tasks.index(task), int(source[1:])
    muted, before = table.muted[measure], float(table.before[measure][k])
    head = f"**{literal(task)}** gives **{source}** a weight of {table.weights[k, s]:.2f}"
    if table.weights[k, s] == 0:
        return f"{head}: muting it changes nothing."
    if np.isnan(muted.change[k, s]):
        return f"{head}; its effect is undefined."
    told = "told from 0" if muted.corrected[k, s] < LEVEL else \
        "not told from 0 after correction" if muted.p[k, s] < LEVEL else "not told from 0"
    rank = int((np.abs(muted.change[k]) > abs(muted.change[k, s])).sum()) + 1
    most = "the largest" if rank == 1 else f"number {rank}"
    return (f"{head}. Without it the {NAMES[measure]} is {amount(measure, before + muted.change[k, s], signed=False)} "
            f"instead of {amount(measure, before, signed=False)} ({amount(measure, muted.change[k, s])}, {told}), "
            f"{most} of {plural(table.weights.shape[1], 'effect')} on this task.")


def note(table: Ablation, measure: str, tasks: Catalogue) -> str:
    """What the intervals are, and are not, of a run with these `tasks`."""
    numeric = tasks.numeric(table.tasks)
    how = "Student's t over rows" if measure == PROBABILITY else \
        "Bonett and Price's for paired proportions" + (", a bootstrap for correlations" if numeric else "")
    scaled = "what is not muted is scaled up to the row's sum" if table.renormalise else \
        "what is not muted keeps its weight, so that the shared part also gets smaller"
    return (f"Effect: score after muting minus as trained; {scaled}. ± is half of the 95% interval over the dev rows "
            f"({how}), \\* p < {LEVEL} after Holm's correction over all sources and tasks, and at least "
            f"{amount(measure, WORTH[measure], signed=False)}. One run: sources of other "
            "seeds are others.")


def over_runs(tables: Sequence[Ablation], measure: str) -> list[str]:
    """The same questions over runs of other seeds, whose sources need no matching for that."""
    each = {name: [within(table, measure, name) for table in tables] for name in ("size", "lost", "random")}
    found, lost, random = (over(values) for values in each.values())
    if found is None:
        return ["There is no order to compare in any of these runs: their weights, or effects, do not differ."]
    count, of = len(found.each), plural(len(tables), "run")
    basis = f"mean over {of} and half of its 95% t-interval" if count == len(tables) > 1 else \
        f"mean over the {count} of {of} whose weights and effects have an order"
    lines = [f"Within a task, weight and size of effect have a rank correlation of **{_interval(found)}** ({basis}): "
             f"over these seeds a larger weight {_means(found.mean)} a larger effect.{_doubt(found)}"]
    if lost is not None:
        lines.append(f"With the sign of the effect, as what is lost by muting: {_interval(lost)}.{_doubt(lost)}")
    gap = over([one - two for one, two in zip(each["size"], each["random"], strict=True)
                if one is not None and two is not None])
    if random is not None and gap is not None:
        more = gap.half is not None and gap.mean - gap.half > 0
        lines.append(f"The weights with what random moves of the same length do: {_interval(random)}; muting's "
                     f"minus that, run by run: {_interval(gap)}.{_doubt(gap)} {_verdict(more)}")
    off = [over([float(np.nanmean(part[measure].change)) for table in tables if (part := take(table)) is not None])
           for take in (lambda table: table.private_off, lambda table: table.shared_off)]
    if off[0] and off[1]:
        said = [amount(measure, part.mean) if part.half is None else
                f"{amount(measure, part.mean).split()[0]} ± {amount(measure, part.half, False)}"
                for part in off if part]
        lines.append(f"Mean over tasks without the private prompts {said[0]}, without the shared part {said[1]}.")
    return lines


def within(table: Ablation, measure: str, what: str) -> float | None:
    """Mean over tasks of the rank correlation of weights with the size of muting's effects ("size"), with what is
    lost ("lost"), or with the size of what random moves do ("random"); None where there is no order."""
    if what == "random" and table.shifted is None:
        return None
    change = (table.shifted or {})[measure].change if what == "random" else table.muted[measure].change
    found = relation(table.weights, -change if what == "lost" else np.abs(change), permutations=1)
    return None if found is None else found.within


def _interval(found: Over) -> str:
    return f"{found.mean:.2f}" + ("" if found.half is None else f" ± {found.half:.2f}")


def _doubt(found: Over) -> str:
    if found.half is None or abs(found.mean) > found.half:
        return ""
    return " The interval includes 0."
