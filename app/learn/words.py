"""What the tour says about its numbers: sentences computed from them, and no bolder than they allow. Pure.

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
    """A dev row as the backbone reads it, with the prompt's `length` vectors as badges at `position`."""
    chips = " ".join(f":green-badge[p{p + 1}]" for p in range(min(length, MOST_CHIPS)))
    if length > MOST_CHIPS:
        chips += f" … :green-badge[p{length}]"
    head = literal(task.prefix(prefix))
    body = " ".join(f"{literal(name)}: {literal(text)}"
                    for name, text in zip(task.field_names(prefix), texts, strict=True))
    return " ".join({"before_all": [chips, head, body], "after_prefix": [head, chips, body],
                     "after_text": [head, body, chips]}[position])


def answered(task: Task, answer: Answer, who: str) -> str:
    """The label words of a dev row, the right one, and a run's answer."""
    words = listed([f"**{literal(word)}**" for word in task.labels]) if len(task.labels) <= 5 else \
        f"{literal(task.labels[0])} … {literal(task.labels[-1])}"
    right = literal(task.labels[answer.gold])
    said = f"Label words: {words}; **{right}** is right."
    if answer.shares is None:
        return said
    best = int(np.argmax(answer.shares))
    verdict = "right" if best == answer.gold else "wrong"
    return (f"{said} {who} answers **{literal(task.labels[best])}** with {_percent(answer.shares[best])} of the "
            f"probability of the label words: {verdict}.")


def level(task: str, row: Mapping[str, Any], references: Mapping[str, float]) -> str:
    """PT on one task (`row` of frames.summarise) compared with the untrained references (name -> score)."""
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
        said += f" The interval includes {listed(near)}, so with {plural(n, 'seed')} there is no clear difference."
    return said


def sharing(cells: pd.DataFrame, method: str) -> list[str]:
    """Which tasks gain and lose compared with PT; `cells` is frames.differences of one method, with the mean."""
    rows = records(cells)
    single = [row for row in rows if row["column"] != frames.MEAN]
    mean = next((row for row in rows if row["column"] == frames.MEAN), None)
    found = []
    if single and single[0]["n"] == 1:
        better = sum(row["value"] > 0 for row in single)
        found.append(f"In this one pair of runs {label(method)} is ahead of PT on {better} of "
                     f"{plural(len(single), 'task')}. One run has no interval, so this proves nothing.")
    elif single:
        sides: dict[str, list[str]] = {"gain": [], "lose": [], "undecided": []}
        for row in single:
            sides[verdict(row["value"], row["half"])].append(
                f"{literal(row['column'])} ({100 * row['value']:+.1f})")
        found += [f"**{word} with {label(method)}**, beyond the interval: {listed(sides[side])}."
                  for side, word in (("gain", "Gain"), ("lose", "Lose"))]
        if sides["undecided"]:
            found.append(f"No clear difference with these {plural(single[0]['n'], 'seed')}: "
                         f"{listed(sides['undecided'])}.")
        found.append(f"The {plural(len(single), 'interval')} are not corrected for their number: with no difference at "
                     "all, about one in twenty would still exclude 0.")
    if mean is not None:
        found.append(difference(mean, "pt", "Mean over tasks: "))
    return found


def verdict(value: float, half: float) -> str:
    """What an interval says about a difference: "gain", "lose" or "undecided" (also if there is no interval)."""
    if math.isnan(value) or math.isnan(half) or frames.same(half) or abs(value) <= half:
        return "undecided"
    return "gain" if value > 0 else "lose"


def difference(row: Mapping[str, Any], baseline: str, head: str = "") -> str:
    """One paired difference (a line of frames.differences) in words."""
    points, n = 100 * row["value"], row["n"]
    pair = f"{head}{label(row['row'])} − {label(baseline)} = **{points:+.1f}"
    if math.isnan(row["half"]):
        return f"{pair}** (one run, so no interval)."
    doubt = "" if verdict(row["value"], row["half"]) != "undecided" else ", which is no clear difference"
    return f"{pair} ± {100 * row['half']:.1f}** ({plural(n, 'paired seed')}){doubt}."


def zeros(weights: Mapping[str, Sequence[float]]) -> list[str]:
    """What each normaliser did with the sliders' logits, and above all which sources it dropped."""
    found = []
    for kind, row in weights.items():
        gone = [f"s{s}" for s, weight in enumerate(row) if weight == 0]
        if gone:
            them, their = ("it", "its") if len(gone) == 1 else ("them", "their")
            found.append(f"**{kind}** gives {listed(gone)} exactly 0, so this task passes no gradient to {them}. Here "
                         f"{their} weight comes back only if the other logits shrink, for example by weight decay.")
        elif kind == "sigmoid":
            found.append(f"**sigmoid** treats each source on its own; the weights sum to {sum(row):.2f}, not to 1.")
        else:
            least = int(np.argmin(row))
            found.append(f"**{kind}** leaves every source some weight (the least: s{least}, {_small(row[least])}), and "
                         "so a gradient.")
    return found


def gates(task: str, now: Composed, trained: Composed, alpha: float, beta: float, form: str) -> list[str]:
    """What the gates do to a task's composed prompt, compared with the trained gates."""
    ratio = f"alpha / (alpha + beta) = {alpha / (alpha + beta):.2f}"
    acting = {"gated_sum": "The gated sum is shared + alpha × private: only alpha has an effect, and the shared part "
                           "enters in full.",
              "sum": "The sum is shared + private, without a gate.",
              "mean": f"In the mean only the ratio of the gates matters: {ratio}."}[form]
    found = [f"On {literal(task)} the private part makes up **{now.share:.0%}** of the two parts' lengths "
             f"({trained.share:.0%} as trained). {acting}"]
    if any(map(math.isnan, (now.to_shared, now.to_private, now.between))):
        return [*found, "One of the parts has length 0, so there are no directions to compare."]
    near = "private" if now.to_private > now.to_shared else "shared"
    found.append(f"The composed prompt points closer to its {near} part: its cosine is {now.to_shared:.2f} with the "
                 f"shared part and {now.to_private:.2f} with the private part ({trained.to_shared:.2f} and "
                 f"{trained.to_private:.2f} as trained). The cosine between the two parts is {now.between:.2f}.")
    return found


def aloud(summary: pd.DataFrame, references: Mapping[str, float], shots: str) -> str:
    """The methods' means at one shot count (lines of frames.summarise), best first."""
    rows = records(summary.sort_values("value", ascending=False))
    each = listed([f"{label(row['row'])} {score(row['value'], row['half'])}" for row in rows])
    bare = listed([f"{literal(name)} {100 * value:.1f}" for name, value in references.items()])
    untrained = f" Untrained: {bare}." if references else ""
    counts = {int(row["n"]) for row in rows}
    over = _over(counts.pop()) if len(counts) == 1 else f"over {min(counts)} to {plural(max(counts), 'seed')}"
    return f"At **{plural(int(shots), 'shot')}**, mean over tasks: {each} ({over}).{untrained}"


def told_apart(pairs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Which differences between methods exceed their paired interval; pairs of (baseline, frames.differences line)."""
    if not pairs:
        return []
    if all(row["n"] < 2 for _, row in pairs):
        return ["There is one run per method and so no interval: any difference here may be chance."]
    named = [(verdict(row["value"], row["half"]), f"{label(row['row'])} − {label(base)} "
              f"{100 * row['value']:+.1f} ± {100 * row['half']:.1f}") for base, row in pairs if row["n"] > 1]
    beyond = [text for side, text in named if side != "undecided"]
    within = [text for side, text in named if side == "undecided"]
    found = [f"Clear differences, beyond the interval when paired by seed: {listed(beyond)}."] if beyond else \
        ["No difference between two methods is beyond its interval here."]
    if within:
        found.append(f"No clear difference with these seeds: {listed(within)}.")
    return [*found, f"There is no correction for comparing {plural(len(named), 'pair')} of methods."]


def score(value: float, half: float) -> str:
    """``"85.9 ± 2.6"``, or only the number if there is no interval."""
    return f"{100 * value:.1f}" + ("" if math.isnan(half) else f" ± {100 * half:.1f}")


def _over(n: int) -> str:
    return "one run, so no interval" if n == 1 else f"mean over {plural(n, 'seed')} ± half of its 95% t-interval"


def _percent(share: float) -> str:
    return "over 99%" if share > _FULL else f"{share:.0%}"


def _small(weight: float) -> str:
    return f"{weight:.2f}" if weight >= _LEAST else f"{weight:.1e}"
