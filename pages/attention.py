"""Attention: tasks x sources of one run. Reads only the store."""

from app import captions, components, frames, panels, readings

components.header("Attention", "attention", "source prompt", "normaliser", "SPP", "SCP")
opened = components.open_results()
if opened:
    experiment, runs = opened
    shown = frames.with_result(runs, "attention")
    if not shown:
        components.not_ready(experiment, "Attention exists for completed runs of SPP and SCP; PT and MST have none.")
    else:
        run = components.run_picker(shown)
        weights, result = frames.attention(run), run.result or {}
        lines = readings.attention(weights, result.get("dead_sources") or [], run.config["attention"] == "learned")
        panels.heatmap(weights, "weight", captions.plain(lines), "attention", "weight")
        components.findings(lines, [readings.normaliser(result, run.config)])
