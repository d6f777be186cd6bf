"""The same edit on every seed of a setting, to learn about more than one run."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.show import captions
from app.ui import components, services
from app.whatif import editing, effects
from compt_core.runs.record import RunRecord
from compt_core.scoring.statistics import half_width
from compt_core.whatif.change import mean_difference
from compt_core.whatif.edit import Edit, read, write
from compt_core.whatif.trained import taken_apart


def view(run: RunRecord, mates: Sequence[RunRecord], edit: Edit) -> None:
    """The mean over seeds, once it is asked for; the reason there is none if the edit is specific to one run."""
    if len(mates) < 2:
        return
    box = st.expander(f"The same edit on {captions.every(len(mates), 'seed')}", icon=":material/groups:",
                      key="all-seeds", on_change="rerun")
    if not box.open:
        return
    with box:
        if not editing.carries_over(edit):
            st.markdown("This edit names sources, weights or another run, so it would be a different edit on other "
                        "seeds: the order of sources is arbitrary, and s0 of one seed is not s0 of another. Edits of "
                        "gates, uniform attention, the normaliser and private prompts mean the same for every seed.")
            return
        each = _each(mates, write(edit))
        lines = sentences(each)
        components.findings(lines)
        st.dataframe(each, hide_index=True, alt=captions.plain(lines), column_config={
            name: st.column_config.NumberColumn(format="%.1f") for name in ("trained", "edited", "change, points")})


def _each(runs: Sequence[RunRecord], text: str) -> pd.DataFrame:
    """Seed and mean over tasks, as trained and edited, in points. Each run is scored once for all visitors."""
    store, lines, bar = services.store(), [], st.empty()
    for number, run in enumerate(runs):
        bar.progress(number / len(runs), f"Scoring the edit on seed {run.seed} ({number + 1} of {len(runs)}) …")
        edit = read(text, taken_apart(run, store.prompts(run.id)))
        changes = [one.change for one in effects.of_edit(run, edit).values()]
        gap, before = mean_difference(changes), sum(one.before or 0.0 for one in changes) / len(changes)
        lines.append({"seed": run.seed, "trained": 100 * before, "edited": 100 * (before + gap),
                      "change, points": 100 * gap})
    bar.empty()
    return pd.DataFrame(lines)


def sentences(each: pd.DataFrame) -> list[str]:
    """The mean change over seeds with its interval."""
    gaps = each["change, points"].tolist()
    mean, half = sum(gaps) / len(gaps), half_width(gaps) or 0.0
    verdict = "" if abs(mean) > half else " The interval includes 0: with these seeds there is no clear change."
    return [f"On average over {captions.plural(len(gaps), 'seed')}, the mean over tasks changes by "
            f"**{mean:+.1f} ± {half:.1f}** points (95% t-interval over seeds; lowest {min(gaps):+.1f}, highest "
            f"{max(gaps):+.1f}).{verdict}"]
