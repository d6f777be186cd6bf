"""What the figures show, in sentences computed from their data, and how little it may prove. Pure.

Markdown for Streamlit; task names go through :func:`app.show.captions.literal`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from app.show.captions import every, listed, literal, plural
from app.show.frames import IDENTICAL, MEAN, NORMALISED, REFERENCES, SAME, differences, same, summarise
from app.show.pairs import pairs
from app.show.styles import label
from compt_core.analysis.relatedness import Mantel
from compt_core.methods.parts import GATES_OF_FORM
from compt_core.methods.table import METHODS
from compt_core.settings.config import RunConfig

_ACTING = {  # how a form joins the parts -> what of the gates acts in it
    "mean": "Form mean: the prompt is (beta × shared + alpha × private) / (alpha + beta), so that only the ratio of "
            "the gates acts.",
    "gated_sum": "Form gated_sum: the prompt is shared + alpha × private. Only alpha acts; beta is not used and "
                 "stays at 1, so that the share of the gates is alpha / (alpha + 1).",
    "sum": "Form sum: the prompt is shared + private. Neither gate acts; both stand at 1, and the share of the gates "
           "is a half whatever was learned.",
    "concat": "SCP: the prompt is beta × shared, then alpha × private. Each gate scales its own part.",
}
_LEVEL = 0.05  # points: below this, two means print alike
_NEAR_UNIFORM = 0.05  # largest distance of a weight from 1 / S that still counts as uniform
_CHANCE = 0.05  # mean with chance = 0 (1 = perfect) that counts as clearly above it for a single run
_SIGNIFICANT, _WEAK, _STRONG = 0.05, 0.3, 0.7  # p; correlations that are called so
_UNTOLD = "°"  # behind a number
_APART = 0.1  # difference of the two private shares worth a sentence


def comparisons(scores: pd.DataFrame, baseline: str | None) -> list[str]:
    """ComPT against the other methods (`app.show.pairs`), or every row against `baseline`, on the mean over tasks.

    `scores` are of one shot count.
    """
    found, means = [], scores[scores["column"] == MEAN]
    every_other = [name for name in pd.unique(scores["variant"]) if name != baseline]
    for name, others in (pairs(scores) if baseline is None else {baseline: every_other}).items():
        found += [_versus(row, name)
                  for row in _records(differences(means[means["variant"].isin([*others, name])], name))]
    return found


def by_shots(scores: pd.DataFrame) -> list[str]:
    """The `app.show.pairs` on the mean over tasks at every shot count; `scores` of all shot counts."""
    means, found = scores[scores["column"] == MEAN].sort_values("shots", kind="stable"), list[str]()
    means = means.assign(column=means["shots"].astype(str))
    for name, others in pairs(scores).items():
        cells = differences(means[means["variant"].isin([*others, name])], name)
        for method, part in cells.groupby("row", sort=False):
            each = listed([f"{100 * row['value']:+.1f} at {row['column']}{_doubt(row)}" for row in _records(part)])
            unit = "shot" if list(part["column"]) == ["1"] else "shots"
            found.append(f"{label(str(method))} minus {label(name)}, in points of the mean over tasks: {each} {unit}.")
    if any(row for row in found if _UNTOLD in row):
        found.append(f"{_UNTOLD} the 95% t-interval over paired seeds includes 0, or there is none.")
    return found


def _doubt(row: Mapping[str, Any]) -> str:
    """A mark behind a difference that its seeds do not tell from 0."""
    told = row["n"] > 1 and abs(row["value"]) > row["half"] and not same(row["half"])
    return "" if told else _UNTOLD


def tests(cells: pd.DataFrame, baseline: str) -> list[str]:
    """On which single tasks methods differ from `baseline` beyond chance; `cells` as in frames.differences."""
    found = []
    for method, part in cells[cells["corrected"].notna()].groupby("row", sort=False):
        beyond = part[part["corrected"] < _SIGNIFICANT].sort_values("value", ascending=False)
        names = [f"{literal(row['column'])} ({100 * row['value']:+.1f})" for row in _records(beyond)]
        own, other, scores = label(str(method)), label(baseline), plural(len(part), "task score")
        said = f"{own} differs from {other} on {len(names)} of {scores}: {listed(names)}" if names else \
            f"On none of {scores} is {own} shown to differ from {other}"
        found.append(f"{said} (paired t-test over "
                     f"{plural(part['n'].max(), 'seed')}, p < {_SIGNIFICANT} after Holm's correction over them).")
    return found


def _versus(row: Mapping[str, Any], baseline: str) -> str:
    points, n = 100 * row["value"], row["n"]
    side = "level with" if abs(points) < _LEVEL else f"{abs(points):.1f} points {'above' if points > 0 else 'below'}"
    subject = f"{label(row['row'])} is {side} {label(baseline)}"
    if n == 1:
        return f"{subject} on this run (mean over tasks; one run: no interval)."
    if same(row["half"]):
        return f"{subject} (mean over tasks; {IDENTICAL} in {every(n, 'paired seed')})."
    low, high = points - 100 * row["half"], points + 100 * row["half"]
    verdict = " The interval includes 0: these seeds do not tell the two apart." if low <= 0 <= high else ""
    return (f"{subject} (mean over tasks and {plural(n, 'paired seed')}; 95% t-interval {low:+.1f} to {high:+.1f})."
            f"{verdict}")


def untrained(scores: pd.DataFrame, references: pd.DataFrame) -> list[str]:
    """The methods' means over tasks against the untrained backbone's; `scores` of one shot count, `references`
    as in frames.reference_rows. Empty without that row."""
    bare = references[(references["row"] == "no_prompt") & (references["column"] == MEAN)]
    if bare.empty:
        return []
    level = float(bare["value"].iloc[0])
    means = _records(summarise(scores[scores["column"] == MEAN]))
    above = [row for row in means if row["value"] - level >= _LEVEL / 100]
    below = [label(row["row"]) for row in means if row not in above]
    name = f"the untrained backbone (no prompt: {100 * level:.1f}, mean over tasks)"
    gains = listed([f"{label(row['row'])} by {100 * (row['value'] - level):.1f}" for row in above])
    found = [f"Not above {name}: {listed(below)}."] if below else []
    if above:
        found.append(f"Above {name if not below else 'it'}, in points: {gains}.")
    return [" ".join(found)]


def resolution(rows: Mapping[str, int], several: bool) -> list[str]:
    """How coarse the scores are; `rows` as in frames.few_rows, `several` where there are intervals."""
    if not rows:
        return []
    low, high = min(rows.values()), max(rows.values())
    points = f"{100 / low:.1f}" if low == high else f"{100 / high:.1f} to {100 / low:.1f}"
    size = f"{low}" if low == high else f"{low} to {high}"
    seeds = " The interval covers seeds only, not the choice of these rows." if several else ""
    return [f"Few dev rows ({size} in {plural(len(rows), 'task')}): one row is {points} points of accuracy.{seeds}"]


def chance(scores: pd.DataFrame) -> list[str]:
    """Says so where no method is clearly above the majority class; `scores` of one shot count."""
    means = _records(summarise(scores[scores["column"] == NORMALISED]))
    clear = [row for row in means if row["value"] > _CHANCE and not row["value"] - row["half"] <= 0]
    if not means or clear:
        return []
    return ["No method here is clearly above majority on the mean over tasks: "
            "read the differences between methods as noise."]


def how_to_read(cells: pd.DataFrame, baseline: str | None) -> list[str]:
    """How to read the accuracy heatmap: runs per cell, marks, units; `cells` as in frames.SUMMARY."""
    own = cells[~cells["row"].isin(list(REFERENCES))]
    several = bool((own["n"] > 1).any())
    if baseline is None:
        units = ("Scores × 100; correlations (Matthews, Pearson, Spearman) run from -100 to 100. "
                 "mean: over each task's first metric. "
                 f"{NORMALISED}: majority = 0, perfect = 100; it is not coloured.")
    else:
        units = "Differences in points (× 100)."
        units += (" \\* differs from 0: paired t-test by seed, p < .05 after Holm's correction over its tasks. "
                  "Intervals of single tasks are not corrected for their number.") if several else ""
    return [line for line in (sample(own), *marks(own, float(cells["unreadable"].max())), units) if line]


def sample(summary: pd.DataFrame) -> str:
    """How many runs stand behind a cell; "" without cells."""
    counts = {label(str(row)): int(part["n"].max()) for row, part in summary.groupby("row", sort=False)}
    sizes = set(counts.values())
    if not sizes:
        return ""
    if sizes == {1}:
        return "n = 1 per cell (one run: no interval)."
    half = "± is half of the 95% t-interval over seeds"
    if len(sizes) == 1:
        return f"n = {plural(sizes.pop(), 'run')} per cell, one per seed; {half}."
    each = ", ".join(f"{name} {n}" for name, n in counts.items())
    return f"Runs per cell: {each}; {half}, where there are two or more."


def marks(summary: pd.DataFrame, unread: float = 0.0) -> list[str]:
    """What the marks in the cells mean, for those that occur; `unread` is the largest share of answers that match no
    label."""
    found = []
    constant = int((summary["constant"] > 0).sum())
    if (summary["half"].map(same) & summary["value"].notna()).any():
        found.append(f"{SAME}: all seeds gave this number, so there is no interval; other seeds may still differ.")
    if constant:
        found.append(f"† predicts one label for every dev row ({plural(constant, 'cell')}): such an accuracy is only "
                     "the frequency of that label. Compare the majority row.")
    if unread > 0:
        found.append(f"§ some answers match no label (up to {unread:.1%}) and count as wrong: the wrong form "
                     "alone lowers such a score.")
    if (summary["undefined"] > 0).any():
        found.append("undef. and ‡: a correlation is undefined for a constant prediction; it counts 0 in means.")
    return found


def accuracy_alt(scores: pd.DataFrame) -> str:
    """The score heatmap's take-away in plain text: the means of `scores` (of one shot count), best first."""
    means = summarise(scores[scores["column"] == MEAN]).sort_values("value", ascending=False)
    return "Mean over tasks: " + ", ".join(f"{label(row['row'])} {100 * row['value']:.1f}" for row in _records(means))


def attention(weights: pd.DataFrame, dead: Sequence[int], learned: bool, seeds: int = 1) -> list[str]:
    """What an attention matrix (weights.frame) shows: how far from uniform, who leans where, dead sources."""
    sources = list(pd.unique(weights["column"]))
    table = weights.pivot(index="row", columns="column", values="value").loc[list(pd.unique(weights["row"])), sources]
    uniform = 1 / len(sources)
    distance = float((table.div(table.sum(axis=1), axis=0) - uniform).abs().to_numpy().max())
    if len(sources) == 1:
        found = ["There is one source: attention only scales it."]
    elif distance <= _NEAR_UNIFORM:
        why = "which is also where training starts: nothing to read into yet" if learned else "as it was fixed"
        found = [f"No weight is further than {_NEAR_UNIFORM:.2f} from uniform (1/S = {uniform:.2f}), {why}."]
    else:
        found = _leanings(table, uniform, seeds)
    if seeds > 1:
        found.append(f"Mean over {plural(seeds, 'seed')}, their sources matched; ± is half of the 95% t-interval over "
                     "seeds, too narrow by what the matching itself makes alike.")
    if dead:
        has = "has" if len(dead) == 1 else "have"
        back = " It comes back only where the other logits shrink, by weight decay say." if learned else ""
        found.append(f"{listed([f's{source}' for source in dead])} {has} weight 0 in every task: dead, "
                     f"no gradient reaches a source from there.{back}")
    return found


def _leanings(table: pd.DataFrame, uniform: float, seeds: int) -> list[str]:
    largest = f"{table.to_numpy().max():.2f} (uniform {uniform:.2f})"
    groups: dict[str, list[str]] = {}
    for task, source in table.idxmax(axis=1).items():
        groups.setdefault(str(source), []).append(literal(task))
    if len(groups) == 1:
        return [f"Every task gives its largest weight to {next(iter(groups))}; the largest is {largest}."]
    parts = [f"**{source}**: {listed(groups[source])}" for source in sorted(groups, key=lambda name: int(name[1:]))]
    doubt = " Tasks can meet on one source by chance: one run proves nothing." if seeds == 1 else ""
    return [f"Largest weight per task: {'; '.join(parts)}.", f"The largest of all is {largest}.{doubt}"]


def spread(entropy: float, active: float, sources: int) -> str:
    """How concentrated the weights are; both are means over tasks and runs (weights.spread)."""
    return (f"Entropy of a task's weights: {entropy:.2f} of the largest possible (1 = uniform, 0 = one source). "
            f"Sources in use: {active:.1f} of {sources}.")


def relatedness(tests: tuple[Mantel, Mantel] | None, seeds: int) -> list[str]:
    """Whether tasks of one family have similar weights (weights.relatedness: of ranks, and Pearson's)."""
    if tests is None:
        return []
    test, pearson = tests
    lowest, highest = min(test.each), max(test.each)
    over = f" (mean over {plural(seeds, 'seed')}, {lowest:.2f} to {highest:.2f})" if seeds > 1 else ""
    verdict = "beyond chance" if test.p < _SIGNIFICANT else "not beyond chance"
    strength = "hardly follow" if test.r < _WEAK else "partly follow" if test.r < _STRONG else "follow"
    return [f"The weights {strength} the tasks' known families: Spearman's rank correlation between having "
            f"similar weights and being of one family is {test.r:.2f}{over}, {verdict} (Mantel's test, "
            f"p = {test.p:.2g}; the smallest it can give is {test.smallest:.2g}). "
            f"Pearson's r is {pearson.r:.2f} (p = {pearson.p:.2g})."]


def normaliser(result: Mapping[str, Any], config: Mapping[str, Any], seeds: int = 1) -> str:
    """Which normaliser made the weights, and what the sources' numbers mean in one run or in a mean over seeds."""
    name = result.get("normalizer") or config["normalizer"]
    chosen = " (chosen by auto)" if config["normalizer"] == "auto" else ""
    numbered = "Sources are numbered within this run only." if seeds == 1 else \
        "Sources have no numbers of their own: each seed's are put in the order that makes the seeds most alike."
    how = f"by {literal(name)}{chosen}" if config["attention"] == "learned" else "fixed in the settings"
    return f"Weights as used, {how}. {numbered}"


def gates_note(method: str, config: Mapping[str, Any]) -> str:
    """What the gates do in a run of a composed method, by the way its parts are joined, and how to read them."""
    acting = _ACTING[_form(method, config)]
    return f"{acting} A prompt's own length can make up for a gate: read the two shares together."


def _form(method: str, config: Mapping[str, Any]) -> str:
    return METHODS[method].structure(RunConfig.model_construct(**config)).form


def gates(frame: pd.DataFrame, method: str, config: Mapping[str, Any]) -> list[str]:
    """What the gates (frames.gates) of a run of a composed method show."""
    found = {"off": ["Gates were off in this run (alpha = beta = 1)."],
             "fixed": ["Gates were fixed in this run; nothing about them was learned."]}.get(config["gates"], [])
    own = config["sources"] == 1 and config["normalizer"] == "auto" and config["attention"] == "learned"
    if config["gates"] == "learned" and own:
        found = ["No gate was learned in this run (alpha = beta = 1): its one source's weight is a gate of its own."]
    elif config["gates"] == "learned" and not GATES_OF_FORM[_form(method, config)]:
        found = ["No gate was learned in this run (alpha = beta = 1): its form has none."]
    norm = _records(frame.dropna(subset=["private_norm_share"]).sort_values("private_norm_share"))
    if len(norm) > 1:
        least, most = norm[0], norm[-1]
        found.append(f"{literal(most['task'])} leans most on its private prompt ({most['private_norm_share']:.0%} of "
                     f"the composed norm), {literal(least['task'])} least ({least['private_norm_share']:.0%}).")
    gap = (frame["private_share"] - frame["private_norm_share"]).abs().dropna()
    if len(gap) and gap.max() > _APART:
        found.append(f"The two shares differ by up to {gap.max():.2f}: a gate alone does not tell a part's weight.")
    return found


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
