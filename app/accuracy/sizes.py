"""How large the prompts of each row are, so that nobody takes a longer prompt for a better method."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.show import frames, styles
from compt_core.exchange.report import SIZES, size_text
from compt_core.runs.record import RunRecord


def view(runs: Sequence[RunRecord]) -> None:
    """One line per row of the comparison, from its completed runs (not empty)."""
    table = sizes(runs)
    lengths = table["prompt length"].nunique()
    st.markdown("**The prompts of these rows**" + (
        " differ in length. A longer prompt has more numbers to learn from the same shots, so part of a difference in "
        "score may come from that." if lengths > 1 else " all have the same length."))
    st.dataframe(table, hide_index=True, placeholder="", alt="Prompt length, sources and trained numbers of each row",
                 height="content", column_config={"trained numbers": st.column_config.TextColumn(
                     help="How many numbers a run of this row trains. The frozen backbone is not counted.")})


def sizes(runs: Sequence[RunRecord]) -> pd.DataFrame:
    """row, method and exchange.report.SIZES of each row of the comparison."""
    rows = frames.variants(runs)
    looks = styles.looks(rows)
    return pd.DataFrame([
        {"row": styles.marked(name, looks), "method": styles.label(method),
         **{label: size_text(of, [run for run in runs if run.variant == name]) for label, of in SIZES.items()}}
        for name, method in rows.items()])
