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

_LOGITS = (1.0, 0.6, 0.2, -1.0)  # sparsemax drops two of these, softmax none
_FORMS = {"mean": "mean", "gated_sum": "gated sum", "sum": "sum"}
_LEAST = 0.01  # smallest learned gate: it is a sigmoid, so never 0
_NO_SPP = "This step needs a completed run of ComPT (SPP)."


def attention(board: Board, grid: Grid | None) -> None:
    """Logits on sliders, and the weights that each normaliser makes from them."""
    left, right = halves()
    with left:
        st.markdown("ComPT lets each task mix a few **source prompts** that all tasks share. For each task and source "
                    "it learns one raw number, a **logit**. A **normaliser** turns a task's logits into weights, and "
                    "the choice of normaliser decides whether a source can be dropped.")
        count = int(board.pick("sources", "Sources", ["3", "4"], "4", "How many source prompts there are to mix."))
        told = "The task's raw number for this source. Training changes it."
        logits = [board.number(f"z{s}", f"Logit of s{s}", (-4.0, 4.0), 0.1, _LOGITS[s], told, "%.1f")
                  for s in range(count)]
    with right:
        with st.spinner("Loading the normalisers that training uses (some seconds, once) …"):
            made = tour_maths.weights_of(logits)
        lines = tour_words.zeros(made)
        st.altair_chart(tour_charts.bars(made, board.large), width="stretch", key="bars", alt=captions.plain(lines))
        components.findings(lines)
    question("Set all logits to the same value: what do softmax, sparsemax and sigmoid give? Now raise one of them: "
             "which normaliser drops the others first?",
             ["With equal logits, every normaliser except sigmoid gives each source "
              f"1/{count} = {1 / count:.2f}. That is where training starts. Sparsemax drops a source once its logit is "
              "1 below the largest, often sooner; entmax15 once it is 2 below, often sooner; softmax and sigmoid "
              "never do."], "The answer")


def learned(board: Board, grid: Grid) -> None:
    """The weights of one SPP run at any recorded step."""
    left, right = halves()
    with left:
        st.markdown("These are the weights that a run learned, with a row per task and a column per source. All "
                    "weights start equal; move the step to see them drift apart. The order of sources is arbitrary: "
                    "s0 of one seed is not s0 of another.")
        run = _spp(board, grid)
        if run is None:
            return
        kept = weights.shares(run, *services.store().events(run.id, "attention"))
        moment = board.slide("at", "Optimizer step", [*kept], weights.TRAINED,
                             "The weights at this step of training. The run was scored with its final weights.")
        drawn = weights.single(run, kept[moment])
        frame = weights.frame(drawn, drawn.tasks)
        result, trains = run.result or {}, run.config["attention"] == "learned"
        dead = (result.get("dead_sources") or []) if moment == weights.TRAINED else []
        lines = [*readings.attention(frame, dead, trains), readings.spread(*weights.spread(drawn),
                                                                           drawn.values.shape[1])]
        components.findings(lines, [readings.normaliser(result, run.config)])
    with right:
        controls.heatmap(frame, "weight", captions.plain(lines), "learned", "weight")
    question("Change the seed: do the same tasks share a source again?", _doubt(grid))


def _doubt(grid: Grid) -> list[str]:
    found = ["Do not expect it: the order of sources is arbitrary, and one run's map is only a weak sign of which "
             "tasks are related. The Attention page matches sources between seeds, averages over the seeds, and tests "
             "the weights against the tasks' families."]
    if grid.experiment.owner == BUNDLED:
        found.append("Learned attention was not shown to do better either. In control runs on the suite demo, which "
                     "are not part of this tour, uniform attention scored as well within the noise (docs/FINDINGS.md).")
    return found


def gates(board: Board, grid: Grid) -> None:
    """The gates of a form on sliders, applied to the stored parts of one task's prompt."""
    left, right = halves()
    with left:
        st.markdown("A task's prompt joins two parts: the mix of sources is its **shared part**, and the **private "
                    "part** belongs to this task alone. **Gates** can weight them: alpha the private part, beta the "
                    "shared part. The form decides which gates have an effect. Move a gate and see where the composed "
                    "prompt goes.")
        name = task(board, grid)
        run = _spp(board, grid)
        if run is None:
            return
        with st.spinner("Loading the code that composes prompts in training (some seconds, once) …"):
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
                      args=("alpha", "beta", "form"), help="Go back to the form and the gates of this run.")
    now = tour_maths.composed(of, alpha, beta, form)
    trained = tour_maths.composed(of, of.alpha, of.beta, of.form)
    lines = tour_words.gates(name, now, trained, alpha, beta, form)
    with right:
        st.altair_chart(tour_charts.plane(of, now, trained, board.large), width="content", key="plane",
                        alt=captions.plain(lines))
        components.findings(lines, [
            "The arrows have their true lengths and angles, in the plane that the two parts span. Dashed arrows with "
            "hollow markers show the trained gates, solid ones your gates.",
            "A different prompt need not give a different score: this shows the vectors, not the accuracy."])
    question("Can you make the composed prompt point only to the private part, in any form?",
             ["In the mean it gets as close as you like: alpha 1 and beta near 0 leave only the private part. In the "
              "gated sum it does not: the shared part always enters in full, and a learned alpha is at most 1. The "
              "plain sum has no gate to move."], "The answer")


def _moved(board: Board, of: Parts, form: str) -> list[float]:
    """alpha and beta, each on a slider if the form has it."""
    gates = {"alpha": (of.alpha, "private", "private prompt"), "beta": (of.beta, "shared", "shared part")}
    return [board.number(name, f"{name} ({kind})", (min(_LEAST, trained), max(1.0, trained)), 0.01, round(trained, 2),
                         f"The gate of the {part}; it starts as trained.", acts=f"gate.{name}" in GATES_OF_FORM[form])
            for name, (trained, kind, part) in gates.items()]


def _spp(board: Board, grid: Grid) -> RunRecord | None:
    """The SPP run of the chosen shots and seed; None, with a sentence on the page, if there is none."""
    if "spp" not in grid.methods:
        lacking(_NO_SPP)
        return None
    count, which = shots(board, grid), seed(board, grid)
    run = grid.run("spp", count, which)
    if run is None or not (run.result or {}).get("attention"):
        lacking(f"{_NO_SPP[:-1]} at {captions.plural(int(count), 'shot')} with seed {which}.")
        return None
    return run
