"""Gates: how much each task of one run leans on its private prompt. Reads only the store."""

import streamlit as st

from app import captions, charts, components, frames, panels, readings

components.header("Gates", "gates", "private share", "private prompt", "source prompt", "SPP", "SCP")
opened = components.open_results()
if opened:
    experiment, runs = opened
    shown = frames.with_result(runs, "alpha")
    if not shown:
        components.not_ready(experiment, "Gates exist for completed runs of SPP and SCP; PT and MST have none.")
    else:
        run = components.run_picker(shown)
        gates = frames.gates(run)
        lines = readings.gates(gates, run.config["gates"])
        st.altair_chart(charts.gate_shares(gates), width="stretch", key="gate_shares", alt=captions.plain(lines))
        components.findings(lines, [readings.GATES_NOTE])
        panels.gate_table(gates)
