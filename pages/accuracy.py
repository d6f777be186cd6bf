"""Accuracy: methods x tasks, as scores or as differences to PT and MST. Reads only the store."""

from app import captions, components, downloads, frames, panels, readings

components.header("Accuracy", "PT", "MST", "ComPT", "SPP", "SCP", "majority", "no prompt", "mean, chance = 0",
                  "Matthews", "dev rows", "95% t-interval")
opened = components.open_results()
if opened:
    experiment, runs = opened
    scores = frames.scores(runs)
    if scores.empty:
        components.not_ready(experiment, "Scores appear as soon as the first run completes.")
    else:
        view = panels.score_controls(scores)
        at_shots = scores[scores["shots"] == view.shots]
        shown = frames.pick_metric(at_shots, view.metric)
        references = frames.reference_rows(experiment.references, experiment.config["tasks"])
        lines = [*readings.chance(at_shots), *readings.untrained(at_shots, references),
                 *readings.comparisons(at_shots, view.baseline)]
        if view.baseline is None:
            summary = frames.summarise(shown)
            cells = frames.stack(summary, frames.pick_columns(references, summary))
            panels.heatmap(cells, "score", readings.accuracy_alt(at_shots), "scores", "score × 100")
        else:
            cells = frames.differences(shown, view.baseline)
            panels.heatmap(cells, "difference", captions.plain(lines), "differences", "points")
        coarse = readings.resolution(frames.few_rows(runs), several=bool((cells["n"] > 1).any()))
        components.findings(lines, [*readings.how_to_read(cells, view.baseline), *coarse])
        panels.reference_note(experiment)
        about = captions.plain([captions.provenance(experiment, frames.suites(experiment)), f"{view.shots} shots",
                                *readings.how_to_read(cells, view.baseline)])
        panels.numbers(cells, f"accuracy-{experiment.id}-{view.shots}", about, signed=view.baseline is not None)
        downloads.report(experiment)
