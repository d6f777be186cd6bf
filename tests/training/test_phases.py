"""Tasks in sequence: which rows and which tensors a phase touches, and the scores after each."""

import numpy as np
import pytest
import torch

from compt_core.errors import ConfigError
from compt_core.planning.data import load_data
from compt_core.settings.config import RunConfig, build_experiment
from compt_core.training.fleet import build_fleet
from compt_core.training.fleet_run import train_fleet
from compt_core.training.plan import plan_run

TASKS = ("sst2", "mrpc", "rte", "mnli")


@pytest.fixture
def setting(glue_dir, tiny_t5):
    def make(**settings):
        return RunConfig(**{"tasks": TASKS, "shots": 8, "steps": 12, "batch": 6, "encoder_hidden": 9, "sources": 3,
                            "data_dir": str(glue_dir), "backbone": str(tiny_t5), "eval_rows": 20, "watch_rows": 0,
                            "phases": "each"} | settings)
    return make


def trained(backbone, **configs):
    """(outcomes, run -> scores [phases + 1, K] before the first phase and after each)."""
    events = []
    outcomes = train_fleet(configs, events.append, lambda run: "keep", backbone=backbone)
    scores = {run: np.array([e.values for e in events if getattr(e, "kind", "") == "phase_score" and e.run == run])
              for run in configs}
    return outcomes, scores


def test_a_phase_has_rows_of_its_own_tasks_alone_and_all_phases_are_equally_long(backbone, setting):
    config = setting(phases="mrpc,sst2+mnli,rte", steps=13)
    plan = plan_run(config, load_data(TASKS, config.data_dir, backbone.files), backbone.tokenizer)
    assert plan.ends == (4, 9, 13)
    of_phase = {at: {TASKS[one.task] for step in range(first, end) for one in plan.batch(step)}
                for at, first, end in map(plan.phase, (0, 4, 9))}
    assert of_phase == {0: {"mrpc"}, 1: {"sst2", "mnli"}, 2: {"rte"}}
    assert plan.clocks(13) == (5, 4, 4, 5) and plan.clocks(6) == (2, 4, 0, 2)


def test_a_run_with_a_single_phase_is_a_run_without_phases(backbone, setting):
    one, none = (trained(backbone, a=setting(method="spp", phases=phases))[0]["a"]
                 for phases in ("sst2+mrpc+rte+mnli", ()))
    for name, tensor in none.prompts.items():
        assert np.array_equal(tensor, one.prompts[name]), name


def test_pt_forgets_nothing_at_all_and_its_prompts_are_those_of_each_task_alone(backbone, setting):
    outcomes, scores = trained(backbone, pt=setting(method="pt", prompt_length=2))
    rte, _ = trained(backbone, rte=setting(method="pt", prompt_length=2, phases=(), tasks=("rte",), steps=3))
    table = scores["pt"]
    assert table.shape == (5, 4)
    for k in range(4):  # no change before the task's phase, and none after it
        assert len(set(table[:k + 1, k])) == len(set(table[k + 1:, k])) == 1
    assert outcomes["pt"].prompts["composed"][2] == pytest.approx(rte["rte"].prompts["composed"][0], abs=1e-5)
    assert list(table[-1]) == [outcomes["pt"].result["tasks"][task]["accuracy"] for task in TASKS]


@pytest.mark.parametrize("method", ["mst", "mpt", "spp", "scp"])
def test_what_is_held_after_a_phase_does_not_move_and_what_is_not_does(backbone64, setting, method):
    """Sources move in the first phase alone with freeze_after=all, in every phase otherwise."""
    fleet = build_fleet({"a": setting(method=method)}, backbone64)
    begun = fleet.state("a")["source.embedding"].numpy()
    found = {}
    for how in ("all", "private"):
        for steps, phases in ((3, "sst2+mrpc+rte+mnli"), (12, "each")):
            tasks = {"tasks": TASKS} if phases == "each" else {"tasks": ("sst2",), "phases": ()}
            outcomes, _ = trained(backbone64, a=setting(method=method, freeze_after=how, steps=steps, **{
                "phases": phases} | tasks))
            found[how, steps] = outcomes["a"].prompts["source.embedding"]
    assert found["all", 12] == pytest.approx(found["all", 3], abs=1e-6) and not np.allclose(found["all", 3], begun)
    assert not np.allclose(found["private", 12], found["private", 3])


def test_used_sources_stay_and_the_others_go_on(backbone64, setting):
    """A source for each of the first three tasks, by fixed attention, which the last one shares with the third."""
    attention = ((1.0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1))

    def sources(tasks, how):
        outcomes, _ = trained(backbone64, a=setting(method="spp", attention=attention[:tasks], tasks=TASKS[:tasks],
                                                  steps=3 * tasks, freeze_after=how))
        return outcomes["a"].prompts["source.embedding"]

    held, free, three = sources(4, "used"), sources(4, "private"), sources(3, "used")
    assert held == pytest.approx(three, abs=1e-6)
    assert not np.allclose(free[2], three[2], atol=1e-4)
    assert not np.allclose(free[0], held[0], atol=1e-4)  # by the optimizer's memory and decay, even without a user


def test_a_frozen_part_keeps_its_first_values_and_needs_no_memory_of_the_optimizer(backbone, setting):
    config = setting(method="spp", phases=(), freeze="source,gates")
    fleet = build_fleet({"a": config}, backbone)
    before, (outcomes, _) = fleet.state("a"), trained(backbone, a=config)
    for name, tensor in outcomes["a"].prompts.items():
        if name in before:
            assert torch.equal(torch.from_numpy(tensor), before[name]) == name.startswith(("source.", "gate.")), name
    trained_numbers = sum(one.numel() for name, one in before.items() if name.startswith(("private.", "attention.")))
    assert outcomes["a"].result["trainable_parameters"] == trained_numbers


@pytest.mark.parametrize(("settings", "said"), [
    ({"phases": "sst2,mrpc"}, "Task 'rte' is missing"), ({"phases": "sst2,mrpc,rte,cola"}, "Got 'cola', which is"),
    ({"phases": "sst2,mrpc,rte,sst2"}, "Got 'sst2' twice"), ({"phases": "sst2,,mrpc+rte,+"}, "Got an empty phase"),
    ({"phases": "each", "steps": 2}, "Got 3 phases and 2 steps"), ({"phases": "each", "select": "best"}, "select=last"),
    ({"freeze": "encoder"}, "none or more of"), ({"freeze": "source", "methods": "mst"}, "nothing is left"),
    ({"init": "source=a", "encoder": "mlp"}, "encoder=residual"), ({"init": "gates=a"}, "lines of the form"),
    ({"init": "source=a,source=b"}, "Got source twice"),
])
def test_each_mistake_is_one_sentence(settings, said):
    with pytest.raises(ConfigError) as caught:
        build_experiment({"tasks": "sst2,mrpc,rte", "methods": "spp"} | settings)
    assert len(caught.value.issues) == 1 and said in str(caught.value), str(caught.value)
