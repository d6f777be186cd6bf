"""Accuracy: methods x tasks, as scores or as differences to PT and MST. Reads only the store."""

from app import captions, components, frames, panels, readings

components.header("Accuracy", "PT", "MST", "ComPT", "SPP", "SCP", "majority class", "no prompt", "mean above chance",
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
        lines = [*readings.chance(at_shots), *readings.comparisons(at_shots, view.baseline)]
        if view.baseline is None:
            summary = frames.summarise(shown)
            references = frames.reference_rows(experiment.references, experiment.config["tasks"])
            cells = frames.stack(summary, frames.pick_columns(references, summary))
            panels.heatmap(cells, "score", readings.accuracy_alt(at_shots), "scores", "score × 100")
        else:
            cells = frames.differences(shown, view.baseline)
            panels.heatmap(cells, "difference", captions.plain(lines), "differences", "points")
        components.findings(lines, readings.how_to_read(cells, view.baseline))
        panels.reference_note(experiment)
        panels.numbers(cells)
