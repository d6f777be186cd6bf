"""Steps of the tour about composition: attention and its normalisers, attention as learned, gates."""

from __future__ import annotations

import streamlit as st

from app.learn import charts as tour_charts
from app.learn import maths as tour_maths
from app.learn import words as tour_words
from app.learn.board import Board, reset
from app.learn.maths import Parts
from app.learn.runs import Grid
from app.learn.steps import halves, lacking, question, seed, shots, task
from app.show import captions, readings, weights
from app.ui import components, controls, services
from compt_core.methods.parts import GATES_OF_FORM
from compt_core.runs.record import BUNDLED, RunRecord

_LOGITS = (1.0, 0.6, 0.2, -1.0)  # sparsemax drops two of them, softmax none
_FORMS = {"mean": "mean", "gated_sum": "gated sum", "sum": "sum"}
_LEAST = 0.01  # of a learned gate: it is a sigmoid, never 0
_NO_SPP = "This step needs a completed run of ComPT (SPP)."


def attention(board: Board, grid: Grid | None) -> None:
    """Logits on sliders, and the weights that each normaliser makes of them."""
    left, right = halves()
    with left:
        st.markdown("ComPT lets each task mix a few **source prompts** that all tasks share. Per task and source it "
                    "learns one raw number, a **logit**; a **normaliser** turns a task's logits into weights. Which "
                    "one decides whether a source can be dropped.")
        count = int(board.pick("sources", "Sources", ["3", "4"], "4", "How many source prompts there are to mix."))
        told = "The task's raw number for this source; training moves it."
        logits = [board.number(f"z{s}", f"Logit of s{s}", (-4.0, 4.0), 0.1, _LOGITS[s], told, "%.1f")
                  for s in range(count)]
    with right:
        with st.spinner("Loading torch, whose normalisers training uses, too (some seconds, once) …"):
            made = tour_maths.weights_of(logits)
        lines = tour_words.zeros(made)
        st.altair_chart(tour_charts.bars(made, board.large), width="stretch", key="bars", alt=captions.plain(lines))
        components.findings(lines)
    question("Set all logits alike: what do softmax, sparsemax and sigmoid give then? Now raise one: which normaliser "
             "drops the others first?",
             [f"Alike, all but sigmoid give 1/{count} = {1 / count:.2f} each; that is where training starts. Sparsemax "
              "drops a source once it lies 1 below the largest, often sooner; entmax15 once it lies 2 below, often "
              "sooner; softmax and sigmoid never."], "The answer")


def learned(board: Board, grid: Grid) -> None:
    """The weights of one SPP run at any recorded step."""
    left, right = halves()
    with left:
        st.markdown("This is what a run made of it: a row per task, a column per source. All weights start alike; "
                    "move the step to see them part. Sources have no order: s0 of one seed is not s0 of another.")
        run = _spp(board, grid)
        if run is None:
            return
        kept = weights.shares(run, *services.store().events(run.id, "attention"))
        moment = board.slide("at", "Optimizer step", [*kept], weights.TRAINED,
                             "The weights as training went on; the run was scored with those at its end.")
        drawn = weights.single(run, kept[moment])
        frame = weights.frame(drawn, drawn.tasks)
        result, trains = run.result or {}, run.config["attention"] == "learned"
        dead = (result.get("dead_sources") or []) if moment == weights.TRAINED else []
        lines = [*readings.attention(frame, dead, trains), readings.spread(*weights.spread(drawn),
                                                                           drawn.values.shape[1])]
        components.findings(lines, [readings.normaliser(result, run.config)])
    with right:
        controls.heatmap(frame, "weight", captions.plain(lines), "learned", "weight")
    question("Move the seed: do the same tasks meet on one source again?", _doubt(grid))


def _doubt(grid: Grid) -> list[str]:
    found = ["Do not expect it: sources have no order, and one run's map is a weak sign of which tasks are "
             "related. The Attention page averages over seeds, sources matched first, and "
             "tests the weights against the tasks' families."]
    if grid.experiment.owner == BUNDLED:
        found.append("Nor was learned attention shown to do better: in controls on the suite demo, which are not among "
                     "the runs of this tour, runs with uniform attention scored as well within the noise "
                     "(docs/FINDINGS.md).")
    return found


def gates(board: Board, grid: Grid) -> None:
    """The gates that a form has on sliders, acting on the stored parts of one task's prompt."""
    left, right = halves()
    with left:
        st.markdown("A task's prompt is the mix of sources, its **shared part**, joined with a **private part** of its "
                    "own. **Gates** can weigh them: alpha the private, beta the shared part. The form says which of "
                    "them acts. Move what acts and see where the composed prompt goes.")
        name = task(board, grid)
        run = _spp(board, grid)
        if run is None:
            return
        with st.spinner("Loading torch, to compose the prompt as training does (some seconds, once) …"):
            of = tour_maths.parts(run, name)
        if of is None:
            lacking("This run's prompts were not kept, so there is nothing to compose.")
            return
        form = board.pick("form", "Form", [*_FORMS], of.form,
                          "How SPP joins the parts. mean: (beta shared + alpha private) / (alpha + beta); gated sum: "
                          "shared + alpha private; sum: shared + private. This run was trained with "
                          f"{_FORMS[of.form]}.", _FORMS)
        alpha, beta = _moved(board, of, form)
        if board.shown:
            st.button("Gates as trained", icon=":material/restart_alt:", key="gates_as_trained", on_click=reset,
                      args=("alpha", "beta", "form"), help="Back to the form and the gates of this run.")
    now = tour_maths.composed(of, alpha, beta, form)
    trained = tour_maths.composed(of, of.alpha, of.beta, of.form)
    lines = tour_words.gates(name, now, trained, alpha, beta, form)
    with right:
        st.altair_chart(tour_charts.plane(of, now, trained, board.large), width="content", key="plane",
                        alt=captions.plain(lines))
        components.findings(lines, [
            "The arrows have their true lengths and angles, in the plane that the two parts span. Dashed and hollow: "
            "as trained; solid: your gates.",
            "Another prompt is not yet another score: this shows the vectors, not the accuracy."])
    question("Can you make the composed prompt point to the private part alone, in any form?",
             ["In the mean it comes as near as you like: alpha 1 and beta near 0 leave the private part. In the gated "
              "sum it does not: the shared part always enters whole, and a learned alpha is at most 1. The plain sum "
              "has nothing to move."], "The answer")


def _moved(board: Board, of: Parts, form: str) -> list[float]:
    """alpha and beta, each on a slider where the form has it."""
    gates = {"alpha": (of.alpha, "private", "private prompt"), "beta": (of.beta, "shared", "shared part")}
    return [board.number(name, f"{name} ({kind})", (min(_LEAST, trained), max(1.0, trained)), 0.01, round(trained, 2),
                         f"The gate of the {part}; it starts as trained.", acts=f"gate.{name}" in GATES_OF_FORM[form])
            for name, (trained, kind, part) in gates.items()]


def _spp(board: Board, grid: Grid) -> RunRecord | None:
    """The SPP run of the chosen shots and seed; None, and a sentence, without one."""
    if "spp" not in grid.methods:
        lacking(_NO_SPP)
        return None
    count, which = shots(board, grid), seed(board, grid)
    run = grid.run("spp", count, which)
    if run is None or not (run.result or {}).get("attention"):
        lacking(f"{_NO_SPP[:-1]} at {captions.plural(int(count), 'shot')} with seed {which}.")
        return None
    return run
