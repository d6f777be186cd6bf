"""What studies measure, on made-up truth: runs whose scores are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from compt_core.runs.record import RunRecord, State
from compt_core.settings.config import RunConfig
from compt_core.streams import stream
from compt_core.studies import (
    ablations,
    dissimilar,
    forgetting,
    launch,
    length,
    pretrained,
    relatedness,
    scaling,
    shots,
    tuning,
)
from compt_core.studies.study import Evidence, Reading
from compt_core.studies.table import known
from compt_core.tasks.table import CATALOGUE

TASKS = ("demo-mood", "demo-opinion", "demo-reword", "demo-follows")


def run(scores: Sequence[float], *, tasks: Sequence[str] = TASKS, method: str = "spp", row: str = "", seed: int = 0,
        result: Mapping[str, Any] | None = None, **settings: Any) -> RunRecord:
    """A completed run with these accuracies."""
    config = RunConfig(tasks=tuple(tasks), method=method, variant=row or method, seed=seed, **settings)
    name = "".join(stream(0, row or method, seed, *scores, *tasks).choice(list("abcdefghijkl"), 10))
    found = {"mean": float(np.mean(scores)), "trainable_parameters": 1000,
             "tasks": {task: {"accuracy": float(one)} for task, one in zip(tasks, scores, strict=True)}}
    return RunRecord(name, "abcdefghij", "local", method, config.shots, seed, config.model_dump(mode="json"),
                     State.COMPLETED, 1, 1, 0.0, 0.0, 0.0, 0.0, None, None, None, None,
                     {**found, **(result or {})}, {}, None, tasks=CATALOGUE.only(list(tasks)))


def test_forgetting_and_transfers_are_those_of_the_papers() -> None:
    matrix = np.array([[.5, .4, .3], [.9, .5, .3], [.7, .8, .5], [.6, .9, .7]])
    found = forgetting.measures(matrix, (0, 1, 2))
    assert found.forgetting == pytest.approx(((.9 - .6) + (.8 - .9)) / 2)
    assert found.backward == pytest.approx(((.6 - .9) + (.9 - .8)) / 2)
    assert found.forward == pytest.approx(((.5 - .4) + (.5 - .3)) / 2)
    assert found.final == pytest.approx((.6 + .9 + .7) / 3)
    turned = forgetting.measures(matrix[:, [2, 1, 0]], (2, 1, 0))  # the same tasks, numbered the other way round
    assert vars(turned) == pytest.approx(vars(found))
    with pytest.raises(ValueError, match="at least two tasks"):
        forgetting.measures(matrix[:2, :1], (0,))


def test_what_never_changes_after_its_phase_forgets_exactly_nothing() -> None:
    frozen = np.array([[.5, .5, .5], [.8, .5, .5], [.8, .9, .5], [.8, .9, .7]])
    found = forgetting.measures(frozen, (0, 1, 2))
    assert found.forgetting == found.backward == found.forward == 0
    same = np.repeat([[.5], [.9], [.9], [.9]], 3, axis=1)  # identical tasks under one shared prompt
    found = forgetting.measures(same, (0, 1, 2))
    assert found.forgetting == 0 and found.forward == pytest.approx(.4)


def test_the_reading_of_forgetting_names_the_bounds() -> None:
    kept = run([.9] * 4, method="pt", row="pt order 1", phases="each")
    lost = run([.5] * 4, method="mst", row="mst order 1", phases="each")
    both = [run([.95] * 4, method=name, row=f"{name} together") for name in ("pt", "mst")]
    table = np.full((5, 4), .5)
    held, gone = table.copy(), table.copy()
    for k in range(4):
        held[k + 1:, k] = .9
        gone[k + 1, k] = .9
    curves = {kept.id: (np.arange(5), held), lost.id: (np.arange(5), gone)}
    reading = forgetting.measure(Evidence({"sequence": [kept, lost, *both]}, lambda runs, kind: curves))
    assert reading.sentences[0].startswith("PT forgets nothing.")
    assert "95.0 when all tasks train together" in reading.sentences[0]
    assert reading.numbers["in sequence"]["mst"]["forgetting"]["value"] == pytest.approx(.4)
    assert sum(figure.kind == "matrix" for figure in reading.figures) == 2


def test_identical_tasks_are_related_and_attention_without_pattern_follows_nothing() -> None:
    families = np.array([[1., 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    chance = stream(0, "attention").dirichlet(np.ones(3), size=4)
    scores = np.array([[.9, .9, .5, .5], [.9, .9, .5, .5], [.5, .5, .9, .5], [.5, .5, .5, .9]])
    moved = [run(scores[i], method="pt", row=kind + task) for kind in (relatedness.AS_IS, relatedness.ON)
             for i, task in enumerate(TASKS)]
    found = {name: relatedness.measure(Evidence({"learned": [
        run([.9] * 4, method="pt", row="pt"), run([.9] * 4, result={"attention": attention.tolist()}, sources=3)],
        "transfer": moved})) for name, attention in (("true", families), ("chance", chance))}
    assert found["true"].numbers["tests"]["spp and families"]["r"] == pytest.approx(1)
    assert found["true"].numbers["tests"]["spp and measured transfer"]["r"] > .8
    assert found["chance"].numbers["tests"]["spp and families"]["p"] > .05
    assert "does not follow" in found["chance"].sentences[0] and found["true"].numbers["own_prompt_best"] == 1
    assert len(found["true"].figures[1].rows) == 6


def test_a_lead_ends_where_it_changes_its_sign() -> None:
    leads = {4: .04, 16: .02, 64: -.02}
    runs = [run([.6 + (lead if row == "spp" else 0) + seed / 1000] * 4, method=row, seed=seed, shots=count)
            for count, lead in leads.items() for row in ("pt", "spp") for seed in range(3)]
    reading = shots.measure(Evidence({"shots": runs}))
    assert reading.numbers["crossings"]["spp"] == [pytest.approx(40)]
    assert "furthest ahead of pt with 4 examples: +4.0" in reading.sentences[0]
    assert "with 4, 16 examples" in reading.sentences[1] and "at about 40 examples" in reading.sentences[2]


def test_shuffled_scores_give_no_gain() -> None:
    dice = stream(1, "chance")
    runs = [run(dice.uniform(.4, .6, 4), method=row, seed=seed, shots=8) for row in ("pt", "spp") for seed in range(10)]
    reading = shots.measure(Evidence({"shots": runs}))
    assert "With no number of examples" in reading.sentences[1]


def test_the_source_is_chosen_by_training_loss_and_not_by_the_score() -> None:
    def tried(row: str, loss: float, score: float) -> RunRecord:
        losses = {task: {"initial": 3.0, "final": loss, "words": .2} for task in TASKS}
        return run([score] * 4, method="pt", row=row, result={"task_loss": losses})

    runs = [tried("PT", .5, .6), tried("PT from a", .1, .7), tried("PT from b", .9, .99)]
    assert pretrained.best_start(runs) == {0: pytest.approx(.7)}


def test_equal_numbers_are_as_near_as_a_width_can_make_them() -> None:
    config = RunConfig(tasks=TASKS, method="pt", prompt_length=10)
    size = length.trainable_parameters(config.model_copy(update={"encoder_hidden": 57}), 64)
    assert length.wide_enough(config, 64, size) == 57 and length.wide_enough(config, 64, size + 5) == 57
    assert length.wide_enough(config, 64, 10**9) is None


def test_the_worth_of_a_level_and_of_a_pair_is_found() -> None:
    worth = {"softmax": .1, "sparsemax": -.1}
    both = {("softmax", "mean"): .03, ("sparsemax", "sum"): .03, ("softmax", "sum"): -.03, ("sparsemax", "mean"): -.03}
    runs = [run([.5 + worth[normalizer] + both[normalizer, form]] * 4, row=f"{normalizer} {form}", seed=seed,
                normalizer=normalizer, form=form, sources=2, prompt_length=5)
            for normalizer in worth for form in ("mean", "sum") for seed in range(2)]
    effects = ablations.main_effects(runs)
    assert effects["normalizer", "softmax"].value == pytest.approx(.1)
    assert effects["form", "sum"].value == pytest.approx(0)
    pairs = ablations.pair_effects(runs, effects)
    assert pairs[("normalizer", "softmax"), ("form", "mean")].value == pytest.approx(.03)


def test_the_drawn_grid_is_the_same_each_time_and_uses_levels_equally() -> None:
    base = {"variants": {"spp": {"method": "spp"}}}
    rows = ablations.plan(base)["grid"]["variants"]
    assert rows == ablations.plan(base)["grid"]["variants"] and len(rows) == ablations.MOST
    for name, levels in ablations.LEVELS.items():
        counts = [sum(own[name] == level for own in rows.values()) for level in levels]
        assert max(counts) - min(counts) <= 1, (name, counts)


@pytest.mark.parametrize("name", sorted(known()))
def test_every_study_asks_a_question_and_says_what_it_cannot(name: str) -> None:
    study = known()[name]
    assert study.name == name and study.question.endswith("?") and study.cannot and study.method.endswith(".")
    assert all(one.endswith(".") for one in study.cannot) and study.start and study.quick
    assert Reading((), (), {}).figures == ()


def test_harm_and_isolation_by_foreign_tasks_are_found() -> None:
    apart = [[1., 0, 0]] * 4 + [[0, 0, 1.]]
    alone = [run([.8] * 4, method="mst", row="mst"), run([.8] * 4, result={"attention": apart[:4]}, sources=3)]
    more = (*TASKS, "demo-echo")
    beside = [run([.6] * 4 + [.9], tasks=more, method="mst", row="mst"),
              run([.8] * 4 + [.9], tasks=more, result={"attention": apart}, sources=3)]
    reading = dissimilar.measure(Evidence({"alone": alone, "4 foreign": beside}))
    assert "MST changes by -20.0 points" in reading.sentences[0] and "by +0.0 points" in reading.sentences[1]
    assert "so it sets them apart" in reading.sentences[2]
    assert dissimilar.isolation(alone, "mst", 4) is None


def trial(row: str, score: float, seed: int = 1000, **settings: Any) -> RunRecord:
    return run([score] * 4, method=row.split()[0], row=row, seed=seed, **settings)


def test_tuning_finds_the_best_trial_and_what_it_is_worth_on_other_seeds() -> None:
    search = [trial("pt 1", .5, lr_private=.1),
              trial("pt 2", .9, lr_private=.2),
              trial("pt 2", .7, 1001, lr_private=.2), trial("spp 1", .6, lr_private=.1),
              trial("spp 2", .55, lr_private=.3)]
    starts = [trial("pt", .5, seed) for seed in (0, 1)] + [trial("spp", .6, seed) for seed in (0, 1)]
    tuned = [trial("pt", .7, 0), trial("pt", .72, 1), trial("spp", .6, 0), trial("spp", .6, 1)]
    assert tuning.best(tuning.trials(Evidence({"round 1": search}))["pt"]) == (
        {**dict.fromkeys(tuning.SEARCHED), "lr_private": .2, "lr_attention": .07, "lr_gate": .1, "lr_encoder": .003,
         "prompt_length": 5}, pytest.approx(.8))
    early = tuning.measure(Evidence({"round 1": search, "start": starts}))
    assert early.sentences[0].endswith("lr_private=0.2, with 80.0 on the tuning seeds.")
    whole = tuning.measure(Evidence({"round 1": search, "start": starts, "tuned": tuned}))
    assert whole.sentences[0].startswith("PT is first with tuned settings, at 71.0")
    assert "With the settings at the start ComPT (SPP) was first." in whole.sentences[0]
    assert whole.numbers["pt"]["gain"]["value"] == pytest.approx(.21)


def test_tuning_asks_for_the_same_trials_again_and_within_its_bounds() -> None:
    base = launch.whole({"preset": "demo", "methods": ["pt", "spp"], "seeds": [0, 1, 2]})
    parts = tuning.plan(base)
    assert parts == tuning.plan(base) and list(parts) == ["round 1", "start"]
    rows = parts["round 1"]["variants"]
    assert list(rows) == [f"pt {n}" if n < 7 else f"spp {n - 6}" for n in (1, 7, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12)]
    assert parts["round 1"]["seeds"] == [1000, 1001] and parts["start"]["seeds"] == [0, 1, 2]
    assert all(.32 / 5.01 <= own["lr_private"] <= .32 * 5.01 for name, own in rows.items() if name.startswith("pt"))
    assert not any("lr_source" in own for name, own in rows.items() if name.startswith("pt "))
    done = [trial(name, .5 + index / 100, **{key: value for key, value in own.items() if key != "method"})
            for index, (name, own) in enumerate(rows.items())]
    more = tuning.grow(parts, Evidence({"round 1": done, "start": []}))
    assert list(more) == ["round 2"] and len(more["round 2"]["variants"]) == 12
    assert not set(more["round 2"]["variants"]) & set(rows)
    all_parts = {**parts, **more, "round 3": {}}
    last = tuning.grow(all_parts, Evidence({"round 1": done, "start": []}))
    assert list(last) == ["tuned"] and list(last["tuned"]["variants"]) == ["pt", "spp"]
    assert last["tuned"]["variants"]["spp"]["lr_source"] == rows["spp 6"]["lr_source"]
    assert tuning.grow({**all_parts, **last}, Evidence({"round 1": done})) == {}


def test_active_sources_and_entropy_count_what_is_used() -> None:
    one = run([.5] * 4, result={"attention": [[1., 0, 0, 0]] * 2 + [[.25] * 4] * 2}, sources=4)
    assert scaling.active(one) == pytest.approx(2.5)
    assert scaling.entropy(one) == pytest.approx(np.log(4) / 2)
