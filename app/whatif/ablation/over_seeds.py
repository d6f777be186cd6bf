"""What can be said over seeds: each run's rank correlations and parts, which need no common order of sources."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app.show import captions, exports, progress
from app.ui import components
from app.whatif.ablation import tables, words
from app.whatif.ablation.tables import Options
from compt_core.runs.record import RunRecord
from compt_core.whatif.effects import SCORE, Ablation

_GUESS = 12.0  # seconds for a table, as long as none has been made; twice as long with the random moves


def view(runs: Sequence[RunRecord], measure: str, options: Options) -> None:
    """The runs of one setting (several seeds); missing tables are computed when a visitor asks for them."""
    missing = [run for run in runs if tables.kept(run, options).table is None]
    if missing:
        known = [place.seconds for run in runs if (place := tables.kept(run, options)).table is not None]
        each = max(known) if known else _GUESS * (1 + options.control)
        st.markdown(f"{captions.plural(len(missing), 'table')} of {len(runs)} still "
                    f"{'needs' if len(missing) == 1 else 'need'} to be computed, which takes about "
                    f"{progress.duration(each * len(missing))}. If you stop, finished tables are kept.")
        if not st.button("Compute them", icon=":material/play_arrow:", key="compute", type="primary"):
            return
        st.button("Stop", icon=":material/stop:", key="stop", help="Finished tables are kept.")
        bar = st.progress(0.0, "Loading the backbone and the dev rows …")
        for number, run in enumerate(missing):
            def tell(done: int, of: int, number: int = number) -> None:
                bar.progress((number + done / of) / len(missing), f"Run {number + 1} of {len(missing)}: {done} of "
                             f"{captions.plural(of, 'task')} scored …")

            tables.made(run, options, tell)
        st.rerun()
    _show(runs, [table for run in runs if (table := tables.kept(run, options).table) is not None], measure)


def _show(runs: Sequence[RunRecord], found: Sequence[Ablation], measure: str) -> None:
    lines = words.over_runs(found, measure)
    components.findings(lines, ["Cells are not averaged, because source s0 of one seed is not s0 of another. This "
                                "analysis is exploratory: all of it was done after training."])
    column, unit = st.column_config, "points" if measure == SCORE else "nats"
    frame = summary(runs, found, measure)
    st.dataframe(frame, hide_index=True, height="content", alt=captions.plain(lines), column_config={
        "size": column.NumberColumn("Rank correlation, size", format="%.2f", help="Rank correlation of the weights "
                                    "with the size of the effects within a task; mean over tasks."),
        "lost": column.NumberColumn("… with loss", format="%.2f", help="The same, with the loss from muting instead of "
                                    "the size of the effect."),
        "random": column.NumberColumn("… with random moves", format="%.2f", help="The same, with the size of what "
                                      "random moves of the prompt do."),
        "mean size": column.NumberColumn(f"Mean effect, {unit}", format="%.2f", help="Mean size, without the sign."),
        "private off": column.NumberColumn(f"Private off, {unit}", format="%.2f", help="Change without the private "
                                           "prompts, mean over tasks."),
        "shared off": column.NumberColumn(f"Shared off, {unit}", format="%.2f", help="Change without the shared part, "
                                          "mean over tasks.")})
    st.download_button("CSV", exports.table(frame), f"ablation-seeds-{runs[0].id}.csv", "text/csv",
                       icon=":material/download:", key="csv", on_click="ignore",
                       help="The table above, with all digits.")


def summary(runs: Sequence[RunRecord], found: Sequence[Ablation], measure: str) -> pd.DataFrame:
    """A line per run: seed, rank correlations within tasks, mean size of the effects, the two parts."""
    unit, lines = (100 if measure == SCORE else 1), []
    for run, table in zip(runs, found, strict=True):
        muted, kept = table.muted[measure], table.weights != 0
        ranks = ("size", "lost") if table.shifted is None else ("size", "lost", "random")
        off = {"private off": table.private_off, "shared off": table.shared_off}
        lines.append({
            "seed": run.seed, "run": run.id,
            **{name: words.within(table, measure, name) for name in ranks},
            "mean size": unit * float(np.abs(muted.change[kept]).mean()),
            **{name: unit * float(np.nanmean(part[measure].change)) for name, part in off.items() if part is not None}})
    return pd.DataFrame(lines)
