"""What the tour says of its numbers, in sentences computed from them and no bolder than they are. Pure.

Markdown for Streamlit; task names and sentences go through :func:`app.show.captions.literal`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from app.learn.maths import Composed
from app.learn.runs import Answer, records
from app.show import frames
from app.show.captions import listed, literal, plural
from app.show.styles import label
from compt_core.tasks.spec import Task

MOST_CHIPS = 12  # prompt vectors written out before a text
_LEVEL = 0.05  # points: below this, two numbers print alike
_FULL, _LEAST = 0.995, 0.005  # shares beyond which two digits would print 1 or 0


def text_with_prompt(task: Task, texts: Sequence[str], length: int, prefix: str, position: str) -> str:
    """A row as the backbone reads it, with the prompt's `length` vectors as badges at `position`."""
    chips = " ".join(f":green-badge[p{p + 1}]" for p in range(min(length, MOST_CHIPS)))
    if length > MOST_CHIPS:
        chips += f" … :green-badge[p{length}]"
    head = literal(task.prefix(prefix))
    body = " ".join(f"{literal(name)}: {literal(text)}"
                    for name, text in zip(task.field_names(prefix), texts, strict=True))
    return " ".join({"before_all": [chips, head, body], "after_prefix": [head, chips, body],
                     "after_text": [head, body, chips]}[position])


def answered(task: Task, answer: Answer, who: str) -> str:
    """The label words of a row, the right one, and what a run made of it."""
    words = listed([f"**{literal(word)}**" for word in task.labels]) if len(task.labels) <= 5 else \
        f"{literal(task.labels[0])} … {literal(task.labels[-1])}"
    right = literal(task.labels[answer.gold])
    said = f"Label words: {words}; right is **{right}**."
    if answer.shares is None:
        return said
    best = int(np.argmax(answer.shares))
    verdict = "right" if best == answer.gold else "wrong"
    return (f"{said} {who} answers **{literal(task.labels[best])}** with {_percent(answer.shares[best])} of the "
            f"probability of the label words: {verdict}.")


def level(task: str, row: Mapping[str, Any], references: Mapping[str, float]) -> str:
    """PT on one task (a row of frames.summarise) against the untrained references (name -> score)."""
    method, value, half, n = label(row["row"]), row["value"], row["half"], row["n"]
    said = f"On {literal(task)} {method} scores **{score(value, half)}** ({_over(n)})."
    gaps, near = [], []
    for name, bare in references.items():
        gap = 100 * (value - bare)
        told = f"{abs(gap):.1f} points {'above' if gap > 0 else 'below'}" if abs(gap) >= _LEVEL else "level with"
        gaps.append(f"{told} {literal(name)} ({100 * bare:.1f})")
        if abs(gap) <= 100 * half:
            near.append(literal(name))
    if gaps:
        said += f" That is {listed(gaps)}."
    if near:
        said += f" Within the interval: {listed(near)}; {plural(n, 'seed')} do not tell PT apart from there."
    return said


def sharing(cells: pd.DataFrame, method: str) -> list[str]:
    """Who gains and who loses against PT; `cells` as frames.differences of one method, mean over tasks included."""
    rows = records(cells)
    single = [row for row in rows if row["column"] != frames.MEAN]
    mean = next((row for row in rows if row["column"] == frames.MEAN), None)
    found = []
    if single and single[0]["n"] == 1:
        better = sum(row["value"] > 0 for row in single)
        found.append(f"On this one pair of runs {label(method)} is ahead of PT on {better} of "
                     f"{plural(len(single), 'task')}. One run: no interval, so this proves nothing.")
    elif single:
        sides: dict[str, list[str]] = {"gain": [], "lose": [], "undecided": []}
        for row in single:
            sides[verdict(row["value"], row["half"])].append(
                f"{literal(row['column'])} ({100 * row['value']:+.1f})")
        found += [f"**{word} with {label(method)}**, beyond the interval: {listed(sides[side])}."
                  for side, word in (("gain", "Gain"), ("lose", "Lose"))]
        if sides["undecided"]:
            found.append(f"Not told apart by these {plural(single[0]['n'], 'seed')}: {listed(sides['undecided'])}.")
        found.append(f"{plural(len(single), 'interval')}, not corrected for their number: were there no difference at "
                     f"all, about one in twenty would still leave 0 out.")
    if mean is not None:
        found.append(difference(mean, "pt", "Mean over tasks: "))
    return found


def verdict(value: float, half: float) -> str:
    """What an interval says of a difference: "gain", "lose" or "undecided" (also without an interval)."""
    if math.isnan(value) or math.isnan(half) or frames.same(half) or abs(value) <= half:
        return "undecided"
    return "gain" if value > 0 else "lose"


def difference(row: Mapping[str, Any], baseline: str, head: str = "") -> str:
    """One paired difference (a row of frames.differences) in words."""
    points, n = 100 * row["value"], row["n"]
    pair = f"{head}{label(row['row'])} − {label(baseline)} = **{points:+.1f}"
    if math.isnan(row["half"]):
        return f"{pair}** (one run: no interval)."
    doubt = "" if verdict(row["value"], row["half"]) != "undecided" else ", which does not tell the two apart"
    return f"{pair} ± {100 * row['half']:.1f}** ({plural(n, 'paired seed')}){doubt}."


def zeros(weights: Mapping[str, Sequence[float]]) -> list[str]:
    """What each normaliser did with the logits of the sliders, above all which sources it dropped."""
    found = []
    for kind, row in weights.items():
        gone = [f"s{s}" for s, weight in enumerate(row) if weight == 0]
        if gone:
            them, their = ("it", "its") if len(gone) == 1 else ("them", "their")
            found.append(f"**{kind}** gives {listed(gone)} exactly 0: through this task no gradient reaches {them}. "
                         f"Here {their} weight comes back only where the other logits shrink, by weight decay say.")
        elif kind == "sigmoid":
            found.append(f"**sigmoid** looks at each source by itself; the weights sum to {sum(row):.2f}, not to 1.")
        else:
            least = int(np.argmin(row))
            found.append(f"**{kind}** leaves every source a weight (the least: s{least}, {_small(row[least])}), and "
                         "with it a gradient.")
    return found


def gates(task: str, now: Composed, trained: Composed, alpha: float, beta: float, form: str) -> list[str]:
    """What the gates do to a task's composed prompt, against what they were trained to."""
    ratio = f"alpha / (alpha + beta) = {alpha / (alpha + beta):.2f}"
    acting = {"gated_sum": "The gated sum is shared + alpha × private: alpha alone acts, and the shared part enters "
                           "whole.",
              "sum": "The sum is shared + private: it has no gate.",
              "mean": f"In the mean only the ratio of the gates acts: {ratio}."}[form]
    found = [f"On {literal(task)} the private part makes **{now.share:.0%}** of the two parts' lengths "
             f"({trained.share:.0%} as trained). {acting}"]
    if any(map(math.isnan, (now.to_shared, now.to_private, now.between))):
        return [*found, "One of the parts has no length, so that there are no directions to compare."]
    near = "private" if now.to_private > now.to_shared else "shared"
    found.append(f"The composed prompt points nearer to its {near} part: cosine {now.to_shared:.2f} to the shared, "
                 f"{now.to_private:.2f} to the private part ({trained.to_shared:.2f} and {trained.to_private:.2f} as "
                 f"trained). The parts themselves stand at a cosine of {now.between:.2f}.")
    return found


def aloud(summary: pd.DataFrame, references: Mapping[str, float], shots: str) -> str:
    """The methods' means at one shot count (rows of frames.summarise), best first."""
    rows = records(summary.sort_values("value", ascending=False))
    each = listed([f"{label(row['row'])} {score(row['value'], row['half'])}" for row in rows])
    bare = listed([f"{literal(name)} {100 * value:.1f}" for name, value in references.items()])
    untrained = f" Untrained: {bare}." if references else ""
    counts = {int(row["n"]) for row in rows}
    over = _over(counts.pop()) if len(counts) == 1 else f"over {min(counts)} to {plural(max(counts), 'seed')}"
    return f"At **{plural(int(shots), 'shot')}**, mean over tasks: {each} ({over}).{untrained}"


def told_apart(pairs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Which differences between methods lie beyond their paired interval; pairs of (baseline, frames.differences row).
    """
    if not pairs:
        return []
    if all(row["n"] < 2 for _, row in pairs):
        return ["One run per method: no interval, so no difference here can be told from chance."]
    named = [(verdict(row["value"], row["half"]), f"{label(row['row'])} − {label(base)} "
              f"{100 * row['value']:+.1f} ± {100 * row['half']:.1f}") for base, row in pairs if row["n"] > 1]
    beyond = [text for side, text in named if side != "undecided"]
    within = [text for side, text in named if side == "undecided"]
    found = [f"Beyond the interval, paired by seed: {listed(beyond)}."] if beyond else \
        ["No difference between two methods is beyond its interval here."]
    if within:
        found.append(f"Not told apart by these seeds: {listed(within)}.")
    return [*found, f"{plural(len(named), 'pair')} of methods, not corrected for their number."]


def score(value: float, half: float) -> str:
    """``"85.9 ± 2.6"``, or the bare number where there is no interval."""
    return f"{100 * value:.1f}" + ("" if math.isnan(half) else f" ± {100 * half:.1f}")


def _over(n: int) -> str:
    return "one run: no interval" if n == 1 else f"mean over {plural(n, 'seed')} ± half of the 95% t-interval"


def _percent(share: float) -> str:
    return "over 99%" if share > _FULL else f"{share:.0%}"


def _small(weight: float) -> str:
    return f"{weight:.2f}" if weight >= _LEAST else f"{weight:.1e}"
