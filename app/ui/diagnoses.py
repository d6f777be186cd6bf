"""What a diagnosis says on a page: how many runs have which signature, the number behind it, and what to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.show.captions import listed, literal, plural
from app.show.styles import label
from compt_core.analysis.diagnosis import by_signature
from compt_core.analysis.signatures import Diagnosis, Finding, Signature, titled
from compt_core.runs.record import RunRecord

MARK = {"problem": "⚠", "note": "Note:"}
_GROUPS = 3  # of runs by method and shots, in a sentence
_SEEDS = 4  # listed one by one


def headline(found: Mapping[str, Diagnosis]) -> str:
    """How many runs have a problem, and how many only a note; "" before a run has begun."""
    problems = sum(bool(one.problems) for one in found.values())
    notes = sum(bool(one.findings) and not one.problems for one in found.values())
    if not found:
        return ""
    total, so_far = len(found), " so far" if any(one.under_way for one in found.values()) else ""
    said = f"{problems} of {plural(total, 'run')} {'has' if problems == 1 else 'have'} a problem" if problems else \
        "no problem in this run" if total == 1 else f"no problem in any of {plural(total, 'run')}"
    return said + (f"; {plural(notes, 'run')} with a note" if notes else "") + so_far


def sentences(runs: Sequence[RunRecord], found: Mapping[str, Diagnosis], severity: str) -> list[str]:
    """A line per signature of that severity: its name, its runs, their numbers and what to try. Markdown."""
    lines = []
    for signature, of in by_signature(found).items():
        if signature.severity == severity:
            those = [run for run in runs if run.id in of]
            whose = f" · {_whose(those)}" if len(runs) > 1 else ""
            lines.append(f"**{titled(list(of.values()))}**{whose}: {literal(numbers(signature, list(of.values())))}. "
                         f"{signature.advice}")
    return lines


def numbers(signature: Signature, findings: Sequence[Finding]) -> str:
    """The numbers of one signature, over the runs that have it."""
    if len(findings) == 1:
        return findings[0].said
    return signature.said(tuple(one.value for one in findings), findings[0].threshold)


def brief(diagnosis: Diagnosis | None) -> str:
    """A run's first finding with its number, for a cell of a table; "" without any."""
    if diagnosis is None or not diagnosis.findings:
        return ""
    first, more = diagnosis.findings[0], len(diagnosis.findings) - 1
    number = format(first.value, first.signature.style)
    return f"{MARK[first.signature.severity]} {titled([first])} ({number}){f', {more} more' if more else ''}"


def unchecked(found: Mapping[str, Diagnosis]) -> str:
    """What could not be judged in how many runs, and why; "" where all could."""
    reasons: dict[str, int] = {}
    for one in found.values():
        for why in one.unchecked.values():
            reasons[why] = reasons.get(why, 0) + 1
    each = [literal(why) + (f" (in {count} of {plural(len(found), 'run')})" if len(found) > 1 else "")
            for why, count in reasons.items()]
    return f"Overfitting was not checked: {'; '.join(each)}." if each else ""


def view(runs: Sequence[RunRecord], found: Mapping[str, Diagnosis]) -> None:
    """All of it: problems at once, notes and what is unchecked in a box to open."""
    said = headline(found)
    if not said:
        return
    problems, notes, missing = sentences(runs, found, "problem"), sentences(runs, found, "note"), unchecked(found)
    if problems:
        st.warning(_bullets(problems), icon=":material/warning:", title=f"Diagnosis: {said}")
    else:
        st.markdown(f":material/health_and_safety: Diagnosis: {said}.")
    if notes or missing:
        with st.expander("Notes of the diagnosis: no failures, but read the runs with them in mind" if notes else
                         "What the diagnosis could not check", icon=":material/info:"):
            st.markdown(_bullets([*notes, *([missing] if missing else [])]))


def of_run(run: RunRecord, found: Diagnosis | None) -> None:
    """What is found in one run, in a line each; nothing where nothing is."""
    if found is None or not found.findings:
        return
    alone = {run.id: found}
    problems, notes = sentences([run], alone, "problem"), sentences([run], alone, "note")
    if problems:
        st.warning(_bullets(problems), icon=":material/warning:", title="Diagnosis of this run")
    for line in notes:
        st.markdown(f":material/info: {line}")


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) if len(lines) > 1 else lines[0]


def _whose(runs: Sequence[RunRecord]) -> str:
    """Runs by row and shot count, in a few words."""
    groups: dict[tuple[str, int], list[int]] = {}
    for run in runs:
        groups.setdefault((run.variant, run.shots), []).append(run.seed)
    each = [f"{label(row)}, {plural(shots, 'shot')}, {_seeds(seeds)}" for (row, shots), seeds in groups.items()]
    more = [plural(sum(len(seeds) for seeds in list(groups.values())[_GROUPS:]), "more run")] \
        if len(each) > _GROUPS else []
    return f"{plural(len(runs), 'run')} ({literal('; '.join([*each[:_GROUPS], *more]))})"


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) > _SEEDS:
        return plural(len(seeds), "seed")
    return f"seed{'s' if len(seeds) > 1 else ''} {listed(sorted(seeds))}"
