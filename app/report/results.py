"""The results of an experiment as pieces of its report: the sentences of the pages, their heatmaps and curves. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from app.report import figures as report_figures
from app.report import tables as report_tables
from app.report.blocks import Block, block
from app.report.figures import Axis, Figure, Series
from app.show import captions, charts, frames, readings, styles, weights
from app.show.frames import MEAN
from app.show.pairs import pairs
from app.show.styles import label
from compt_core.exchange.report import SIZES, data_notes, size_text
from compt_core.runs.record import ACTIVE, ExperimentRecord, RunRecord

_GATES = {"alpha": "alpha (private)", "beta": "beta (shared)", "private_share": "private share of gates",
          "private_norm_share": "private share of norm"}


def scores(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> Block:
    """Scores and differences of each shot count, and the means over shot counts as a curve."""
    table = frames.scores(runs)
    if table.empty:
        return block("Scores", ["No run has completed: there are no scores."])
    references = frames.reference_rows(experiment.references, experiment.config["tasks"], experiment.tasks)
    counts = [int(count) for count in sorted(set(table["shots"]))]
    at = {count: table[table["shots"] == count] for count in counts}
    summaries = {count: frames.summarise(one) for count, one in at.items()}
    gaps = {(count, name): frames.differences(one, name) for count, one in at.items() for name in pairs(one)}
    cells = {count: frames.stack(one, frames.pick_columns(references, one)) for count, one in summaries.items()}
    ends = charts.limits(pd.concat(cells.values()), "score")
    apart = charts.limits(pd.concat(gaps.values()), "difference") if gaps else (-1.0, 1.0)
    looks, parts = styles.looks(experiment.variants), []
    for count in counts:
        several = bool((summaries[count]["n"] > 1).any())
        unit = captions.plural(count, "shot")
        shown = [report_tables.scores(cells[count], "score", f"Scores × 100 at {unit}", ends, looks)]
        shown += [report_tables.scores(gap, "difference", f"Difference from {label(name)}, {unit}, points", apart,
                                       looks)
                  for (shots, name), gap in gaps.items() if shots == count and len(gap)]
        lines = [*readings.chance(at[count]), *readings.untrained(at[count], references),
                 *readings.comparisons(at[count][at[count]["column"] == MEAN], None)]
        notes = [*readings.how_to_read(cells[count], None), *readings.resolution(frames.few_rows(runs), several)]
        if len(shown) > 1:
            notes.append("Differences are paired by seed: blue is better than the baseline, brown is worse.")
            of_count = {name: gap for (shots, name), gap in gaps.items() if shots == count and len(gap)}
            for name, gap in of_count.items():
                lines += readings.tests(gap, name)
                notes += [note for note in readings.how_to_read(gap, name) if note not in notes]
        parts.append(block(unit, lines, notes, tables=tuple(shown)))
    figures = (_shots_curve(summaries, references, looks),) if len(counts) > 1 else ()
    about = (*_about_references(experiment, runs), *data_notes(runs))
    sizes = report_tables.words(
        {label(row): [size_text(of, mine) for of in SIZES.values()] for row in experiment.variants
         if (mine := [run for run in frames.finished(runs) if run.variant == row])},
        "How large the prompts of each row are", "row", list(SIZES))
    return block("Scores", [], about, figures=figures, tables=(sizes,), parts=tuple(parts))


def _about_references(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> tuple[str, ...]:
    if experiment.references is None:
        waits = any(run.state in ACTIVE for run in runs)
        return ("The reference rows (majority, no prompt) "
                + ("follow when all runs have ended." if waits else "were not scored yet when this was made."),)
    if not any(experiment.references.values()):
        return ("The reference rows (majority, no prompt) could not be computed for this experiment.",)
    return ()


def _shots_curve(summaries: Mapping[int, pd.DataFrame], references: pd.DataFrame,
                 looks: Mapping[str, styles.Look]) -> Figure:
    """Mean over tasks by shot count, a line per row of the comparison, with 95% t-intervals."""
    means = {count: one[one["column"] == MEAN].set_index("row") for count, one in summaries.items()}
    methods = list(dict.fromkeys(row for one in means.values() for row in one.index))
    series = [Series(
        method, [(math.log2(count), 100 * float(one.loc[method, "value"])) for count, one in means.items()
                 if method in one.index],
        [100 * float(np.nan_to_num(one.loc[method, "half"])) for one in means.values() if method in one.index],
        each_marked=True) for method in methods]
    levels = {f"{frames.REFERENCES[row]} {100 * value:.1f}": 100 * value
              for row, value in references[references["column"] == MEAN][["row", "value"]].itertuples(index=False)}
    reach = [end for one in series for (_, y), half in zip(one.points, one.halves, strict=True)
             for end in (y - half, y + half)] + list(levels.values())
    room = 0.05 * (max(reach) - min(reach)) or 1.0
    low, high, counts = min(reach) - room, max(reach) + room, list(means)
    ticks = {math.log2(count): str(count) for count in counts}
    first, last = math.log2(counts[0]), math.log2(counts[-1])
    edge = 0.06 * (last - first)
    about = "; ".join(f"{label(one.row)} from {one.points[0][1]:.1f} to {one.points[-1][1]:.1f}" for one in series)
    bars = " Bars are 95% t-intervals over seeds." if any(half for one in series for half in one.halves) else \
        " One run per point: no interval."
    return report_figures.figure(
        f"Mean over tasks by shots, × 100.{bars}",
        f"Mean over tasks, from {counts[0]} to {captions.plural(counts[-1], 'shot')}: {about}.", series, looks,
        Axis("shots (logarithmic)", first - edge, last + edge, ticks),
        Axis("mean score × 100", low, high, report_figures.ticks(low, high)), levels)


def attention(runs: Sequence[RunRecord]) -> Block | None:
    """The weights of each composed method and shot count: the run's, or the mean over its seeds."""
    return _by_cell("Attention", frames.with_result(runs, "attention"), _attention)


def _attention(name: str, mates: Sequence[RunRecord]) -> Block:
    run = mates[0]
    drawn = weights.mean(mates) if len(mates) > 1 else weights.single(run)
    cells, learned = weights.frame(drawn, drawn.tasks), run.config["attention"] == "learned"
    dead = ((run.result or {}).get("dead_sources") or []) if len(mates) == 1 else []
    test = weights.relatedness(drawn) if learned else None
    lines = [*readings.attention(cells, dead, learned, len(mates)),
             readings.spread(*weights.spread(drawn), drawn.values.shape[1]), *readings.relatedness(test, len(mates))]
    table = report_tables.weights(cells, f"Attention weights of {name}, {_over(mates)}")
    return block(name, lines, [readings.normaliser(run.result or {}, run.config, len(mates))], tables=(table,))


def gates(runs: Sequence[RunRecord]) -> Block | None:
    """alpha, beta and the two private shares of each composed method and shot count."""
    return _by_cell("Gates", frames.with_result(runs, "alpha"), _gates)


def _gates(name: str, mates: Sequence[RunRecord]) -> Block:
    each = [frames.gates(run) for run in mates]
    mean = each[0] if len(each) == 1 else pd.concat(each).groupby("task", sort=False).mean().reset_index()
    run = mates[0]
    lines = readings.gates(mean, run.method, run.config)
    if len(mates) > 1:
        lines = [line.replace("in this run", "in these runs") for line in lines]
    return block(name, lines, [readings.gates_note(run.method, run.config)],
                 tables=(report_tables.means(each, f"Gates of {name}, {_over(mates)}", _GATES),))


def _by_cell(title: str, runs: Sequence[RunRecord], draw: Callable[[str, Sequence[RunRecord]], Block]
             ) -> Block | None:
    """What `draw` makes of the runs of each row and shot count; None without runs."""
    cells: dict[tuple[str, int], list[RunRecord]] = {}
    for run in runs:
        cells.setdefault((run.variant, run.shots), []).append(run)
    parts = tuple(draw(f"{label(method)}, {captions.plural(shots, 'shot')}", mates)
                  for (method, shots), mates in cells.items())
    return block(title, parts=parts) if parts else None


def _over(mates: Sequence[RunRecord]) -> str:
    if len(mates) == 1:
        return f"seed {mates[0].seed} (one run: no interval)"
    return f"mean over {captions.plural(len(mates), 'seed')} ± half of the 95% t-interval"


def losses(runs: Sequence[RunRecord], curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Block | None:
    """Training loss by step, a figure per shot count; None without any."""
    measured = frames.curves([(run, *curves[run.id]) for run in runs if run.id in curves])
    drawn = frames.thinned(measured)
    ends = None if drawn.empty else charts.ends(drawn)
    if ends is None:
        return None
    ended = all(run.state not in ACTIVE for run in runs)
    looks, figures = styles.looks(frames.variants(runs)), []
    for count in sorted(set(drawn["shots"])):
        part, whole = drawn[drawn["shots"] == count], measured[measured["shots"] == count]
        series = [Series(str(one["variant"].iloc[0]),
                         list(zip(one["step"].tolist(), one["value"].tolist(), strict=True)))
                  for _, one in part.groupby("run", sort=False)]
        last = max(1.0, float(drawn["step"].max()))
        figures.append(report_figures.figure(
            f"Training loss, {captions.plural(int(count), 'shot')}", captions.curves_alt(whole, "Training loss"),
            series, looks,
            Axis("optimizer step", 0.0, last, report_figures.ticks(0.0, last)),
            Axis("training loss (cross-entropy)", *ends, report_figures.ticks(*ends))))
    return block("Training loss", [], [captions.loss(measured, len(runs), ended)], figures=tuple(figures))
