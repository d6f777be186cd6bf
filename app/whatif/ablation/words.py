"""What an ablation table shows, in sentences, and what it does not prove. Pure; no torch."""

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
_WEAK, _STRONG = 0.3, 0.7  # below the first a correlation is called weak, from the second on strong
_AS_GOOD = 0.15  # two correlations that differ by no more than this are called about the same
_NAMED = 3  # cells in a sentence
_EVEN = "an even share"
WORTH = {SCORE: 0.01, PROBABILITY: 0.02}  # smaller changes may differ from 0 on many rows but are negligible

Place = tuple[int, int]  # task, source


def amount(measure: str, value: float, signed: bool = True) -> str:
    """A change with its unit: ``"-51.0 points"``, ``"+0.25 nats"``; without `signed`, a value without a plus."""
    number = f"{100 * value:.1f}" if measure == SCORE else f"{value:.2f}"
    number = number.lstrip("-") if float(number) == 0 else number
    return f"{'+' if signed and float(number) > 0 else ''}{number} {'points' if measure == SCORE else 'nats'}"


def reading(table: Ablation, measure: str, ranked: Sequence[str] | None = None) -> list[str]:
    """Everything that can be said about one run by one measure (Markdown). `ranked` is the result of :func:`ranks`,
    which takes a moment to compute."""
    muted = table.muted[measure]
    return [*_told(table, measure, muted), *_weights_against_effects(table, measure, muted),
            *(ranks(table, measure) if ranked is None else ranked), *parts(table, measure)]


def _told(table: Ablation, measure: str, muted: Effects) -> list[str]:
    told, cells = muted.corrected < LEVEL, int((table.weights != 0).sum())
    before, matters = int((muted.p < LEVEL).sum()), marked(muted, measure)
    found = [f"Muting one source changes the {NAMES[measure]} beyond chance in **{int(told.sum())} of "
             f"{plural(cells, 'cell')}** (p < {LEVEL} after Holm's correction for testing many cells). In "
             f"{int(matters.sum())} of them the change is {amount(measure, WORTH[measure], signed=False)} or more. "
             f"Without the correction it would be {before} cells; if muting never did anything, chance alone would "
             f"give at most about {LEVEL * cells:.0f}."]
    if zero := table.weights.size - cells:
        found.append(f"{plural(zero, 'cell')} with weight 0: by construction, muting changes nothing there.")
    for said, places in (("Muting costs most", _places(matters & (muted.change < 0), muted.change)),
                         ("Muting helps most", _places(matters & (muted.change > 0), -muted.change))):
        if places:
            more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
            names = [f"**{literal(table.tasks[k])}** without **s{s}** ({amount(measure, muted.change[k, s])}, weight "
                     f"{table.weights[k, s]:.2f})" for k, s in places[:_NAMED]]
            found.append(f"{said}: {', '.join(names) + more if more else listed(names)}.")
    return found


def marked(effects: Effects, measure: str) -> np.ndarray:
    """Which effects differ from 0 after correction and are large enough to matter."""
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
                     f"(1/{sources} of the task's total), {int(idle.sum())} can be muted without a change of {least} "
                     "or more that goes beyond chance, even before correction"
                     f"{_examples(table, measure, muted, _places(idle, -share))}.")
    elif large.any():
        found.append(f"Every weight above {_EVEN} (1/{sources} of the task's total) has an effect.")
    if loud.any():
        found.append(f"Small weight, large effect: {plural(int(loud.sum()), 'weight')} below half of {_EVEN} still "
                     f"{'has' if loud.sum() == 1 else 'have'} an effect of {least} or more beyond chance"
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
    """Whether a large weight means a large effect in one run, and how much of that holds for any move of a prompt."""
    muted = table.muted[measure]
    sizes, lost = (relation(table.weights, one) for one in (np.abs(muted.change), -muted.change))
    if sizes is None:
        return ["There is no order to compare: no task has both two different weights and two different effects. "
                "Weights that are uniform, or fixed to the same value, do not show which source matters."]
    found = [f"In this run a larger weight {_means(sizes.within)} a larger effect. The rank correlation of weight and "
             f"size of effect is **{sizes.r:.2f}** over {plural(sizes.cells, 'cell')} ({_p(sizes.p)}, with sources "
             f"permuted within each task), and {sizes.within:.2f} within a task on average."]
    if lost is not None:
        found.append(f"The rank correlation of weight and loss from muting is {lost.r:.2f} ({_p(lost.p)}), and "
                     f"{lost.within:.2f} within a task.")
    return [*found, _control(table, measure, sizes)]


def _control(table: Ablation, measure: str, sizes: Relation) -> str:
    if table.shifted is None:
        return ("Caution: muting a source with a large weight also moves the prompt farther, whatever the source "
                "holds. Turn on the control, random moves of the same length, to see how much that alone explains.")
    kept, shifted = table.weights != 0, table.shifted[measure]
    random = relation(table.weights, np.abs(shifted.change), permutations=1)
    if random is None:
        return "Random moves of the same length do not change enough to be ranked."
    of_muting, of_random = (amount(measure, float(np.abs(one.change[kept]).mean()), signed=False)
                            for one in (table.muted[measure], shifted))
    return (f"Control: moving the prompt just as far in a random direction changes a cell by {of_random} on average, "
            f"muting by {of_muting}. The random moves' rank correlation with the weights is {random.r:.2f} "
            f"({random.within:.2f} within a task; one move per cell, in one run). "
            f"{_verdict(sizes.within - random.within > _AS_GOOD)}")


def _verdict(more: bool) -> str:
    if more:
        return "The weights rank random moves less well, so they reflect more than how far the prompt moves."
    return ("The weights rank random moves about as well. So the ranking only reflects how far the prompt moves, and "
            "is no sign that attention gives large weights to the sources that a task needs.")


def _means(r: float) -> str:
    return "hardly means" if r < _WEAK else "partly means" if r < _STRONG else "mostly means"


def _p(p: float) -> str:
    return f"one-sided p = {p:.2g}"


def parts(table: Ablation, measure: str) -> list[str]:
    """Which of its two parts a run depends on more."""
    if table.private_off is None or table.shared_off is None:
        return ["This run's prompts consist of only one of the two parts, so it cannot be switched off."]
    private, shared = table.private_off[measure], table.shared_off[measure]
    means = [float(np.nanmean(one.change)) for one in (private, shared)]
    leans = "the shared part" if means[1] < means[0] else "the private prompts"
    found = [f"This run depends more on **{leans}**: the mean over tasks changes by {amount(measure, means[0])} "
             f"without the private prompts and by {amount(measure, means[1])} without the shared part. On "
             f"{int((private.change < shared.change).sum())} of {plural(len(table.tasks), 'task')}, leaving out the "
             "private prompt costs more."]
    beyond = side_by_side(private, shared).corrected[:, 1] < LEVEL
    alone = [task for k, task in enumerate(table.tasks) if shared.change[k] < 0 and beyond[k]
             and not (table.muted[measure].p[k] < LEVEL).any()]
    if alone:
        found.append(f"On {listed([literal(task) for task in alone])} the shared part matters although no single "
                     "source does. Sources can stand in for each other, which muting one at a time cannot show.")
    muted, told = table.muted[measure], marked(table.muted[measure], measure)
    worse = [task for k, task in enumerate(table.tasks) if (told[k] & (muted.high[k] < shared.low[k])).any()]
    if worse:
        found.append(f"On {listed([literal(task) for task in worse])} muting one source costs more than leaving out "
                     "the whole shared part: the rest of the shared part misleads.")
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
    told = "beyond chance" if muted.corrected[k, s] < LEVEL else \
        "not beyond chance after correction" if muted.p[k, s] < LEVEL else "not beyond chance"
    rank = int((np.abs(muted.change[k]) > abs(muted.change[k, s])).sum()) + 1
    most = "the largest" if rank == 1 else f"number {rank}"
    return (f"{head}. Without it the {NAMES[measure]} is {amount(measure, before + muted.change[k, s], signed=False)} "
            f"instead of {amount(measure, before, signed=False)} ({amount(measure, muted.change[k, s])}, {told}). This "
            f"is {most} of {plural(table.weights.shape[1], 'effect')} on this task.")


def note(table: Ablation, measure: str, tasks: Catalogue) -> str:
    """How the intervals of a run with these `tasks` are computed, and what they do not cover."""
    numeric = tasks.numeric(table.tasks)
    how = "Student's t over rows" if measure == PROBABILITY else \
        "Bonett and Price's for paired proportions" + (", a bootstrap for correlations" if numeric else "")
    scaled = "The other sources are scaled up so that their sum stays the same" if table.renormalise else \
        "Each other source keeps its weight, so the shared part also gets smaller"
    return (f"The effect is the score after muting minus the score as trained. {scaled}. ± is half of the 95% interval "
            f"over the dev rows ({how}). \\* means p < {LEVEL} after Holm's correction over all sources and tasks, and "
            f"a change of at least {amount(measure, WORTH[measure], signed=False)}. This is one run: other seeds have "
            "other sources.")


def over_runs(tables: Sequence[Ablation], measure: str) -> list[str]:
    """The same questions over runs of several seeds; their sources need no matching for these."""
    each = {name: [within(table, measure, name) for table in tables] for name in ("size", "lost", "random")}
    found, lost, random = (over(values) for values in each.values())
    if found is None:
        return ["There is no order to compare in any of these runs: their weights or their effects do not differ."]
    count, of = len(found.each), plural(len(tables), "run")
    basis = f"mean over {of} and half of its 95% t-interval" if count == len(tables) > 1 else \
        f"mean over the {count} of {of} whose weights and effects have an order"
    lines = [f"Over these seeds a larger weight {_means(found.mean)} a larger effect. The rank correlation of weight "
             f"and size of effect within a task is **{_interval(found)}** ({basis}).{_doubt(found)}"]
    if lost is not None:
        lines.append(f"The rank correlation of weight and loss from muting is {_interval(lost)}.{_doubt(lost)}")
    gap = over([one - two for one, two in zip(each["size"], each["random"], strict=True)
                if one is not None and two is not None])
    if random is not None and gap is not None:
        more = gap.half is not None and gap.mean - gap.half > 0
        lines.append(f"For random moves of the same length the rank correlation is {_interval(random)}. The "
                     f"difference, muting minus random moves of the same run, is {_interval(gap)}.{_doubt(gap)} "
                     f"{_verdict(more)}")
    off = [over([float(np.nanmean(part[measure].change)) for table in tables if (part := take(table)) is not None])
           for take in (lambda table: table.private_off, lambda table: table.shared_off)]
    if off[0] and off[1]:
        said = [amount(measure, part.mean) if part.half is None else
                f"{amount(measure, part.mean).split()[0]} ± {amount(measure, part.half, False)}"
                for part in off if part]
        lines.append(f"The mean over tasks changes by {said[0]} without the private prompts and by {said[1]} without "
                     "the shared part.")
    return lines


def within(table: Ablation, measure: str, what: str) -> float | None:
    """Mean over tasks of the rank correlation of weights with the size of muting's effects ("size"), with the loss
    from muting ("lost"), or with the size of the effects of random moves ("random"); None if there is no order."""
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
