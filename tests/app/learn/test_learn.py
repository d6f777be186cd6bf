"""The guided tour: every step with and without runs, its numbers against the stored ones, links, presenter mode."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.learn import maths as tour_maths
from app.learn import runs as tour_runs
from app.learn.view import STEPS
from compt_core.runs.store import Store
from compt_core.scoring.statistics import half_width, paired
from compt_core.training.events import Outcome
from tests.app.conftest import STEPS as TRAINED_STEPS
from tests.app.conftest import Lab, fake_result

TASKS = ("demo-mood", "demo-twin", "demo-follows")
SEEDS, SHOTS = range(4), (8, 16)
VECTORS, HIDDEN, SOURCES = 5, 6, 2
NEEDS_RUNS = [name for name, step in STEPS.items() if step.draw]


def words(app: AppTest) -> str:
    parts = (app.title, app.header, app.markdown, app.caption, app.error)
    return "\n".join(element.value for part in parts for element in part).replace("\\", "")


def accuracy(method: str, shots: int, seed: int, task: int) -> float:
    """No two alike, and no difference constant over seeds."""
    base = {"pt": 0.5, "mst": 0.55, "spp": 0.7, "scp": 0.66}[method] + shots / 200
    return base + 0.011 * task * (-1 if method == "mst" else 1) + 0.007 * ((seed * (2 + task)) % 3) * (method != "pt")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with a finished grid of four methods, two shot counts and four seeds, and the grid's id."""
    store = Store(tmp_path_factory.mktemp("grid"))
    lab = Lab(store)
    identity = lab.queued(tasks=",".join(TASKS), shots="8,16", seeds="0-3", form="gated_sum")
    random = np.random.default_rng(3)
    for run in lab._train(upto=TRAINED_STEPS):
        result = fake_result(run.config)
        result["tasks"] = {task: {"accuracy": accuracy(run.method, run.shots, run.seed, k)}
                           for k, task in enumerate(TASKS)}
        result["mean"] = float(np.mean([accuracy(run.method, run.shots, run.seed, k) for k in range(3)]))
        prompts = {"source": random.normal(size=(SOURCES, VECTORS, HIDDEN)).astype(np.float32),
                   "private": random.normal(size=(3, VECTORS, HIDDEN)).astype(np.float32),
                   "composed": random.normal(size=(3, VECTORS, HIDDEN)).astype(np.float32)}
        scores = {task: np.log(np.tile([[0.2, 0.8]], (300, 1))).astype(np.float32) for task in TASKS}
        store.finish(run.id, Outcome("completed", result=result, prompts=prompts, scores=scores))
    rows = {task: {"accuracy": 0.4} for task in TASKS}
    store.set_references(identity, {"majority": rows, "no_prompt": {task: {"accuracy": 0.45} for task in TASKS}})
    store.close()
    return store.home, identity


@pytest.fixture
def grid(home: Path, trained: tuple[Path, str]) -> str:
    """That grid in this test's home; its id."""
    folder, identity = trained
    shutil.copytree(folder, home, dirs_exist_ok=True)
    return identity


@pytest.mark.parametrize("step", STEPS)
def test_every_step_in_an_empty_store(visit, step):
    app = visit("learn", tour=step)
    assert not app.exception and not app.error
    lacks = "This step needs finished runs" in words(app)
    assert lacks == (step in NEEDS_RUNS)
    assert not lacks or [link.value for link in app.page_link] == ["Run the demo on Home", "Launch an experiment"]


@pytest.mark.parametrize("step", STEPS)
def test_every_step_on_finished_runs(visit, grid, step):
    app = visit("learn", tour=step)
    assert not app.exception and not app.error and not app.warning
    said = words(app)
    assert STEPS[step].headline in said and "Not in these runs" not in said and "needs finished runs" not in said
    assert ("Backbone **demo**" in said) == (step in NEEDS_RUNS)


@pytest.mark.parametrize("methods", ["pt", "spp", "mst,scp"])
@pytest.mark.parametrize("step", NEEDS_RUNS)
def test_runs_that_lack_what_a_step_needs_end_in_a_sentence(visit, lab, step, methods):
    lab.finished(methods=methods, tasks=",".join(TASKS))  # no dev scores either
    app = visit("learn", tour=step)
    assert not app.exception and not app.error
    has = {"prompt": "pt", "learned": "spp", "gates": "spp", "shots": methods}.get(step, "none")
    assert ("Not in these runs" in words(app)) == (has != methods)


def test_one_seed_has_no_interval_and_no_verdict(visit, lab):
    lab.finished(tasks=",".join(TASKS))
    assert "no interval, so this proves nothing." in words(visit("learn", tour="sharing"))
    said = words(visit("learn", tour="shots"))
    assert "may be chance" in said and "±" not in said


def test_the_newest_experiment_with_pt_and_spp_is_shown_and_a_link_may_name_another(visit, lab):
    whole = lab.finished(tasks=",".join(TASKS))
    alone = lab.finished(tasks=",".join(TASKS), methods="pt", shots="32")
    assert tour_runs.opened(lab.store).experiment.id == whole
    assert "32 shots" in words(visit("learn", exp=alone))


def scores(method: str, shots: int, task: int | None) -> list[float]:
    return [float(np.mean([accuracy(method, shots, seed, k) for k in ([task] if task is not None else range(3))]))
            for seed in SEEDS]


@pytest.mark.parametrize("shots", SHOTS)
def test_soft_prompt_shows_the_stored_scores_of_pt(visit, grid, shots):
    said = words(visit("learn", tour="prompt", shots=str(shots), task="demo-twin"))
    assert f"On demo-twin PT scores **{100 * np.mean(scores('pt', shots, 1)):.1f}" in said
    assert f"above no prompt (45.0)" in said  # noqa: F541
    assert f"{VECTORS} vectors of {HIDDEN} numbers" in said
    assert all(f":green-badge[p{number}]" in said for number in range(1, VECTORS + 1))


@pytest.mark.parametrize(("row", "right"), [("1", True), ("2", False)])  # the answer is the second label word for all
def test_a_dev_sentence_is_shown_with_what_the_run_answered(visit, grid, row, right):
    said = words(visit("learn", tour="prompt", task="demo-mood", row=row))
    assert "The driver protected" in said if right else "The seaman loved" in said
    assert f"answers **alike** with 80% of the probability of the label words: {'right' if right else 'wrong'}." in said


@pytest.mark.parametrize("shots", SHOTS)
@pytest.mark.parametrize("method", ["mst", "spp"])
def test_sharing_tells_every_paired_difference(visit, grid, shots, method):
    said = words(visit("learn", tour="sharing", shots=str(shots), against=method))
    whole = paired(scores(method, shots, None), scores("pt", shots, None))
    assert f"Mean over tasks: {'MST' if method == 'mst' else 'ComPT (SPP)'} − PT = " \
           f"**{100 * whole.mean:+.1f} ± {100 * whole.half:.1f}** (4 paired seeds)" in said
    for k, task in enumerate(TASKS):
        one = paired(scores(method, shots, k), scores("pt", shots, k))
        line = next(line for line in said.splitlines() if f"{task} ({100 * one.mean:+.1f})" in line)
        parts = [part for part in said.split("- ") if f"{task} ({100 * one.mean:+.1f})" in part]
        undecided = one.half < 1e-9 or abs(one.mean) <= one.half  # the same in all seeds proves nothing
        expected = "No clear difference" if undecided else "**Gain" if one.mean > 0 else "**Lose"
        assert line and parts[0].startswith(expected)


def test_few_shots_reads_the_means_and_the_pairs_aloud(visit, grid):
    said = words(visit("learn", tour="shots", shots="8"))
    spp, pt = scores("spp", 8, None), scores("pt", 8, None)
    best = f"ComPT (SPP) {100 * np.mean(spp):.1f} ± {100 * half_width(spp):.1f}"
    assert f"At **8 shots**, mean over tasks: {best}" in said
    assert "Untrained: majority 40.0 and no prompt 45.0." in said
    gap = paired(spp, pt)
    assert f"ComPT (SPP) − PT {100 * gap.mean:+.1f} ± {100 * gap.half:.1f}" in said and "6 pairs of methods" in said


def test_attention_sliders_act_at_once_and_live_in_the_link(visit):
    app = visit("learn", tour="attention", z0="2", z1="0", z2="0", z3="0")
    assert "**sparsemax** gives s1, s2 and s3 exactly 0, so this task passes no gradient to them" in words(app)
    assert "**softmax** leaves every source some weight" in words(app)
    app.slider(key="tour_z0").set_value(0.0).run()
    assert app.query_params["z0"] == "0" and "exactly 0, so" not in words(app)
    app.slider(key="tour_z1").set_value(0.6).run()  # what the widget shows without a link needs none
    assert "z1" not in app.query_params
    app.segmented_control(key="tour_sources").set_value("3").run()
    assert [slider.key for slider in app.slider] == ["tour_z0", "tour_z1", "tour_z2"]


def test_learned_weights_are_those_of_the_step(visit, grid):
    app = visit("learn", tour="learned", shots="8", seed="2", at="0")
    assert app.select_slider(key="tour_at").value == "0"
    first = words(app)
    app.select_slider(key="tour_at").set_value("trained").run()
    assert "at" not in app.query_params and words(app) != first
    run = tour_runs.opened(Store()).run("spp", "8", "2")
    assert f"the largest is {np.max(run.result['attention']):.2f} (uniform 0.50)" in words(app)


@pytest.mark.parametrize("form", ["mean", "gated_sum"])
def test_gates_tell_lengths_and_directions_of_the_stored_parts(visit, grid, form):
    link = {"task": "demo-twin", "shots": "16", "seed": "3", "form": form, "alpha": "0.8", "beta": "0.4"}
    said = words(visit("learn", tour="gates", **link))
    run = tour_runs.opened(Store()).run("spp", "16", "3")
    kept = Store().prompts(run.id)
    shared, private = np.tensordot(run.result["attention"][1], kept["source"], 1).ravel(), kept["private"][1].ravel()
    own, other = (0.8 * private, shared) if form == "gated_sum" else (0.8 / 1.2 * private, 0.4 / 1.2 * shared)
    share = np.linalg.norm(own) / (np.linalg.norm(own) + np.linalg.norm(other))
    assert f"the private part makes up **{share:.0%}** of the two parts' lengths" in said
    assert f"cosine is {tour_maths.cosine(own + other, shared):.2f} with the shared" in said
    assert f"{tour_maths.cosine(own + other, private):.2f} with the private part" in said


def test_beta_does_nothing_in_the_gated_sum_and_the_ratio_alone_in_the_mean(grid):
    run = tour_runs.opened(Store()).run("spp", "8", "1")
    of = tour_maths.parts(run, "demo-mood")
    assert tour_maths.composed(of, 0.3, 0.1, "gated_sum") == tour_maths.composed(of, 0.3, 0.9, "gated_sum")
    one, other = (tour_maths.prompt_of(of, a, b, "mean") for a, b in ((0.2, 0.4), (0.4, 0.8)))
    assert np.allclose(one, other) and not np.allclose(one, tour_maths.prompt_of(of, 0.4, 0.4, "mean"))


def test_gates_start_as_trained_and_go_back_there(visit, grid):
    app = visit("learn", tour="gates", task="demo-twin", alpha="0.9", form="mean")
    app.button(key="gates_as_trained").click().run()
    assert not {"alpha", "form"} & set(app.query_params) and app.slider(key="tour_alpha").value == 0.3


WRONG = [{"tour": "zzz"}, {"shots": "7"}, {"task": "<b>x</b>"}, {"row": "301"}, {"row": "nan"}, {"present": "2"},
         {"controls": "maybe"}, {"exp": "zzzzzzzzzz"}, {"exp": "<i>"}, {"seed": ""},
         {"tour": "attention", "z0": "9"}, {"tour": "attention", "z1": "1e999"}, {"tour": "attention", "sources": "5"},
         {"tour": "attention", "z0": "1_0"}, {"tour": "attention", "z0": "٣"}, {"row": "1_0"},
         {"tour": "gates", "alpha": "0"}, {"tour": "gates", "beta": "x" * 5000}, {"tour": "learned", "at": "-1"}]


@pytest.mark.parametrize("link", WRONG, ids=str)
def test_a_wrong_link_is_one_sentence_with_a_way_out(visit, grid, link):
    app = visit("learn", **link)
    assert not app.exception and len(app.error) == 1
    assert app.error[0].value.startswith("This link ") and len(app.error[0].value) < 400
    next(button for button in app.button if button.label == "Show the newest experiment").click().run()
    assert not app.exception and not app.error and not {*link} - {"tour"} & set(app.query_params)


def test_previous_and_next_walk_through_all_steps(visit, grid):
    app, seen = visit("learn"), []
    for _ in STEPS:
        seen.append(app.segmented_control(key="tour_steps").value)
        last = app.button(key="tour_next").disabled
        if not last:
            app.button(key="tour_next").click().run()
    assert seen == list(STEPS) and last and app.query_params["tour"] == seen[-1]
    app.button(key="tour_previous").click().run()
    assert app.query_params["tour"] == seen[-2] and not app.exception
    app.segmented_control(key="tour_steps").set_value("sharing").run()
    assert app.query_params["tour"] == "sharing"


def test_the_links_to_present_carry_every_value_of_the_step(visit, grid):
    app = visit("learn", tour="attention", z0="2", z3="-2.5")
    shown, hidden = (parse_qs(urlsplit(block.value).query) for block in app.code)
    assert {name: shown[name] for name in ("tour", "present", "z0", "z1", "z2", "z3", "sources", "exp")} == {
        "tour": ["attention"], "present": ["1"], "z0": ["2"], "z1": ["0.6"], "z2": ["0.2"], "z3": ["-2.5"],
        "sources": ["4"], "exp": [grid]}
    assert hidden == {**shown, "controls": ["off"]}
    app = visit("learn", **{name: value for name, (value,) in hidden.items()})
    assert not app.error and not app.warning


@pytest.mark.parametrize("step", STEPS)
def test_presenter_mode_with_hidden_controls_shows_the_step_alone(visit, grid, step):
    app = visit("learn", tour=step, present="1", controls="off", z0="4", shots="8", task="demo-twin")
    assert not app.exception and not app.error
    assert not [*app.slider, *app.select_slider, *app.selectbox, *app.segmented_control, *app.code]
    assert {button.label for button in app.button} == {"Previous", "Next", "Leave presenter mode"}
    if step == "attention":
        assert "**sparsemax** gives s1, s2 and s3 exactly 0" in words(app)
    if step == "prompt":
        assert f"On demo-twin PT scores **{100 * np.mean(scores('pt', 8, 1)):.1f}" in words(app)
    app.button(key="tour_leave").click().run()
    assert not {"present", "controls"} & set(app.query_params) and app.segmented_control(key="tour_steps").value == step


def test_the_bundled_grid_gives_the_published_numbers_and_its_prompts_compose(visit, monkeypatch):
    monkeypatch.delenv("COMPT_DEMO_RUNS")
    said = words(visit("learn", tour="shots", shots="16"))
    assert "ComPT (SPP) 96.3 ± 2.4" in said and "ComPT (SPP) − PT +10.4 ± 2.7" in said  # docs/FINDINGS.md
    run = tour_runs.opened(Store()).run("spp", "16", "4")
    for k, task in enumerate(run.config["tasks"]):
        of = tour_maths.parts(run, task)
        made = tour_maths.prompt_of(of, of.alpha, of.beta, of.form)
        assert np.allclose(made, Store().prompts(run.id)["composed"][k], atol=2e-2)
        share = tour_maths.composed(of, of.alpha, of.beta, of.form).share
        assert share == pytest.approx(run.result["private_norm_share"][k], abs=2e-3)
    rows, kept = tour_runs.dev_rows(run.tasks["demo-mood"]), Store().scores(run.id)["demo-mood"]
    right = [tour_runs.answer("demo-mood", row, run) for row in range(rows)]
    assert np.mean([np.argmax(one.shares) == one.gold for one in right]) == pytest.approx(
        run.result["tasks"]["demo-mood"]["accuracy"]) and len(kept) == rows
