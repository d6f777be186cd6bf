"""The Accuracy page's view: rows by tasks as scores or differences, what they say, what is behind a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app.accuracy import behind, sizes
from app.accuracy.names import METHOD
from app.accuracy.scores import View, chosen_view, numbers, reference_note
from app.show import captions, charts, frames, readings, styles, weights
from app.show.shot_curves import shot_curves
from app.ui import clicks, components, ordering
from app.ui.names import TASK
from compt_core.runs.record import ExperimentRecord, RunRecord


def view(experiment: ExperimentRecord, runs: Sequence[RunRecord], scores: pd.DataFrame) -> None:
    """Everything on the page; `scores` as in frames.scores, not empty."""
    view = chosen_view(scores)
    at_shots = scores[scores["shots"] == view.shots]
    references = frames.reference_rows(experiment.references, experiment.config["tasks"], experiment.tasks)
    answered = [run for run in frames.finished(runs) if run.shots == view.shots]
    cells = frames.in_order(_cells(frames.pick_metric(at_shots, view.metric), view, references), _order(answered))
    lines = [*readings.chance(at_shots), *readings.untrained(at_shots, references),
             *readings.comparisons(at_shots, view.baseline),
             *(readings.tests(cells, view.baseline) if view.baseline else [])]
    alt = readings.accuracy_alt(at_shots) if view.baseline is None else captions.plain(lines)
    looks = styles.looks(experiment.variants)
    _heatmap(cells, view, alt, behind.chosen(answered), looks)
    coarse = readings.resolution(frames.few_rows(runs), several=bool((cells["n"] > 1).any()))
    components.findings(lines, [*readings.how_to_read(cells, view.baseline), *coarse])
    sizes.view(answered)
    reference_note(experiment)
    about = captions.plain([captions.provenance(experiment, frames.suites(experiment)),
                            captions.plural(view.shots, "shot"), *readings.how_to_read(cells, view.baseline)])
    numbers(cells, f"accuracy-{experiment.id}-{view.shots}", about, signed=view.baseline is not None)
    behind.view(answered, view.shots)
    if scores["shots"].nunique() > 1:
        _by_shots(scores, references, view.shots, looks)


def _order(runs: Sequence[RunRecord]) -> list[str]:
    """The tasks by family, or as the visitor chose, by the attention of the first row that has any."""
    tasks, composed = runs[0].config["tasks"], frames.with_result(runs, "attention")
    if not composed or len(tasks) < 3:
        return weights.by_family(tasks, runs[0].tasks)
    return ordering.ordered(weights.mean(weights.seeds_of(composed[0], composed)), ordering.order_control())


def _cells(shown: pd.DataFrame, view: View, references: pd.DataFrame) -> pd.DataFrame:
    if view.baseline is not None:
        return frames.differences(shown, view.baseline)
    summary = frames.summarise(shown)
    return frames.stack(summary, frames.pick_columns(references, summary))


def _heatmap(cells: pd.DataFrame, view: View, alt: str, chosen: clicks.Cell | None,
             looks: Mapping[str, styles.Look]) -> None:
    if cells.empty:
        st.info("There is nothing to compare here: the two rows have no completed runs with the same seed.")
        return
    scale: charts.Scale = "score" if view.baseline is None else "difference"
    title, ends = ("score × 100" if view.baseline is None else "points"), charts.limits(cells, scale)
    for number, panel in enumerate(charts.panels(cells)):
        clicks.chart(charts.heatmap(panel, scale, title, ends, looks), panel, key=f"{scale}-{number}", alt=alt,
                     names=(METHOD, TASK), chosen=chosen, link=behind.link)


def _by_shots(scores: pd.DataFrame, references: pd.DataFrame, shots: int,
              looks: Mapping[str, styles.Look]) -> None:
    """Means over tasks by shot count; the chosen count is marked."""
    st.header("By number of shots", anchor=False)
    summary = frames.summaries(scores)
    levels = {frames.REFERENCES[row["row"]]: row["value"]
              for row in references[references["column"] == frames.MEAN].to_dict("records")}
    lines = readings.by_shots(scores)
    figure = charts.plain(shot_curves(summary, levels, shots, looks, large=False))
    st.vega_lite_chart(figure, width="stretch", key="by_shots", alt=captions.plain(lines))
    components.findings(lines, ["The bars are 95% t-intervals over seeds, where there are two or more. The grey band "
                                "marks the shot count of the heatmap above."])
