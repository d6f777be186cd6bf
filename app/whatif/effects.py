"""What an edit did, task by task, as a table, a figure and sentences. Scores are computed once for all visitors."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd
import streamlit as st

from app.show.captions import listed, literal, plural
from app.show.charts import inked
from app.ui import services
from compt_core.runs.record import RunRecord
from compt_core.tasks.catalogue import Catalogue
from compt_core.whatif.change import Change, mean_difference, points
from compt_core.whatif.edit import Edit, write

if TYPE_CHECKING:
    import numpy as np

    from compt_core.whatif.apply import Edited

BETTER, WORSE, UNTOLD, STILL = "better", "worse", "no clear change", "no answer changed"
# Colours and markers for what happened to a task; contrast at least 3:1 on both themes.
LOOKS = {BETTER: ("#2F86C1", "triangle-up"), WORSE: ("#C4602A", "triangle-down"), UNTOLD: ("#808080", "circle"),
         STILL: ("#808080", "diamond")}
_NAMED = 3  # tasks in a sentence
_ROW, _HEAD = 30, 60  # px


def of_edit(run: RunRecord, edit: Edit) -> dict[str, Edited]:
    """Task -> answers of the run under a non-empty edit. Raises ComptError if the run can no longer be scored."""
    return _scored(os.environ.get("COMPT_HOME", ""), run.id, write(edit), run)


@st.cache_data(max_entries=256, show_spinner="Scoring the edited prompts on all dev rows …")
def _scored(home: str, run_id: str, text: str, _run: RunRecord) -> dict[str, Edited]:
    from compt_core.whatif.apply import apply, prompts_of

    store = services.store()
    trained = dict(zip(_run.config["tasks"], store.prompts(run_id)["composed"], strict=True))
    return dict(apply(_run, store.scores(run_id), trained, prompts_of(store, _run, text)))


@st.cache_data(max_entries=128, show_spinner="Composing the prompts …")
def _composed(home: str, run_id: str, text: str, _run: RunRecord) -> dict[str, np.ndarray]:
    from compt_core.whatif.apply import prompts_of

    return prompts_of(services.store(), _run, text)


def prompts(run: RunRecord, edit: Edit) -> Mapping[str, np.ndarray]:
    """Task -> edited prompt [L, H], for every task that a non-empty edit changes."""
    return _composed(os.environ.get("COMPT_HOME", ""), run.id, write(edit), run)


def table(changes: Sequence[Change], order: Sequence[str]) -> pd.DataFrame:
    """One line per task, in `order`: metric, before, after, difference, low, high (0-1), verdict, and how many answers
    changed, became right and became wrong."""
    found = {one.task: one for one in changes}
    return pd.DataFrame([
        {"task": task, "metric": one.metric, "before": one.before, "after": one.after, "difference": one.difference,
         "low": one.low, "high": one.high, "verdict": verdict(one), "flipped": len(one.flipped),
         "gained": len(one.gained), "lost": len(one.lost)}
        for task in order if (one := found.get(task)) is not None])


def verdict(change: Change) -> str:
    """BETTER or WORSE if the interval excludes 0, else UNTOLD; STILL if no answer changed."""
    if not change.flipped and change.difference == 0:
        return STILL
    if not change.told:
        return UNTOLD
    return BETTER if change.difference > 0 else WORSE


def figure(changed: pd.DataFrame) -> Any:
    """Each task's change in points with its interval; the trained and the edited score stand next to its name."""
    names = [f"{line['task']}   {points(line['before'])} → {points(line['after'])}"
             for line in changed.to_dict("records")]
    data = changed.assign(name=names, points=100 * changed["difference"], low=100 * changed["low"].astype(float),
                          high=100 * changed["high"].astype(float))
    shown = [name for name in LOOKS if name in set(changed["verdict"])]
    legend = alt.Legend(orient="top", title=None, symbolSize=120)
    colours, markers = (alt.Scale(domain=shown, range=[LOOKS[one][i] for one in shown]) for i in (0, 1))
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=420, labelFlush=False))
    widest = max(1.0, float(data[["low", "high", "points"]].abs().max().max()))
    x = alt.X("points:Q", title="edited minus trained, points of the primary metric",
              scale=alt.Scale(domain=[-widest, widest], nice=True), axis=alt.Axis(tickCount=7))
    base = alt.Chart(data).encode(y=y)
    moved = data[data["verdict"] != STILL]
    spans = alt.Chart(moved).mark_rule(strokeWidth=2, color="#888888").encode(y=y, x="low:Q", x2="high:Q")
    dots = base.mark_point(size=130, filled=True, opacity=1).encode(
        x=x, color=alt.Color("verdict:N", legend=legend, scale=colours),
        shape=alt.Shape("verdict:N", legend=legend, scale=markers),
        tooltip=["task:N", "metric:N", alt.Tooltip("points:Q", format="+.2f", title="change, points"),
                 alt.Tooltip("low:Q", format="+.2f", title="95% from"),
                 alt.Tooltip("high:Q", format="+.2f", title="to"),
                 "flipped:Q", "gained:Q", "lost:Q"])
    zero = alt.Chart(pd.DataFrame({"points": [0]})).mark_rule(strokeDash=[4, 4], color="#888888").encode(x="points:Q")
    return inked(alt.layer(zero, spans, dots).properties(height=_HEAD + _ROW * len(data)))


def sentences(changed: pd.DataFrame, changes: Sequence[Change], rows: int) -> list[str]:
    """What the figure shows. `rows` is the number of dev rows over all tasks."""
    before = float(changed["before"].fillna(0).mean())
    gap = mean_difference(changes)
    tasks = plural(len(changed), "task")
    found = [f"Mean over {tasks}: **{100 * before:.1f}** as trained, **{100 * (before + gap):.1f}** edited "
             f"({100 * gap:+.1f} points)."]
    for name, said in ((WORSE, "Worse"), (BETTER, "Better")):
        part = changed[changed["verdict"] == name].sort_values("difference", key=abs, ascending=False, kind="stable")
        if len(part):
            each = [f"{literal(line['task'])} ({100 * line['difference']:+.1f})"
                    for line in part.head(_NAMED).to_dict("records")]
            more = f" and {len(part) - _NAMED} more" if len(part) > _NAMED else ""
            found.append(f"{said} on {len(part)} of {tasks} (the 95% interval excludes 0): "
                         f"{listed(each) if not more else ', '.join(each)}{more}.")
    flipped, gained, lost = (int(changed[name].sum()) for name in ("flipped", "gained", "lost"))
    found.append(f"{flipped:,} of {plural(rows, 'answer')} changed: {gained:,} became right, {lost:,} became wrong."
                 if flipped else "No answer on any dev row changed.")
    still = changed[changed["verdict"] == STILL]["task"]
    if 0 < len(still) < len(changed):
        found.append(f"On {plural(len(still), 'task')} no answer changed.")
    return found


def note(changed: pd.DataFrame, tasks: Catalogue) -> str:
    """How the intervals of a run with these `tasks` are computed, and what they do not cover."""
    numeric = tasks.numeric(changed["task"])
    how = "a bootstrap over rows" if numeric and (changed["metric"] != "accuracy").all() else \
        "Bonett and Price's interval for paired proportions, a bootstrap over rows for correlations" if numeric else \
        "Bonett and Price's interval for paired proportions"
    many = f" There are {plural(len(changed), 'task')}, and one interval in twenty excludes 0 by chance." \
        if len(changed) > 4 else ""
    return (f"The 95% intervals are over the dev rows of this one run ({how}). Other seeds may react differently to "
            f"the same change.{many}")
