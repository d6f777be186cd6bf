"""The loop: exact set of changed tensors, seeds, fleets against solo runs, ways to leave a fleet."""

import copy
import hashlib
from dataclasses import replace

import pytest
import torch

from compt_core.backbone.cache import ScoreCache
from compt_core.methods.table import METHODS
from compt_core.planning.data import load_data
from compt_core.settings.config import RunConfig
from compt_core.training import first_step
from compt_core.training.best import Best
from compt_core.training.events import Event
from compt_core.training.fleet import build_fleet
from compt_core.training.loop import TrainingError, train
from compt_core.training.passes import forward_backward, losses_by_run, task_losses
from compt_core.training.plan import plan_run

TASKS = ("sst2", "mrpc", "rte")


@pytest.fixture
def setting(glue_dir):
    def make(**settings):
        return RunConfig(**{"tasks": TASKS, "shots": 8, "steps": 4, "batch": 6, "encoder_hidden": 9, "sources": 2,
                            "data_dir": str(glue_dir)} | settings)
    return make


def run_fleet(backbone, configs, control=lambda run: "keep"):
    """(fleet, how each run ended, events) after training `configs`."""
    plans = {r: plan_run(c, load_data(c.tasks, c.data_dir, backbone.files), backbone.tokenizer)
             for r, c in configs.items()}
    fleet, ends, events = build_fleet(configs, backbone), {}, []
    train(fleet, plans, events.append, control, lambda run, state, error: ends.update({run: (state, error)}))
    return fleet, ends, events


def weights_digest(backbone):
    digest = hashlib.sha256()
    for tensor in backbone.model.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("method", METHODS)
def test_training_changes_every_trained_tensor_and_nothing_else(backbone, setting, method):
    config, before = setting(method=method), weights_digest(backbone)
    start = build_fleet({"a": config}, backbone).state("a")
    fleet, ends, _ = run_fleet(backbone, {"a": config})
    after = fleet.state("a")
    assert ends == {"a": ("completed", None)}
    assert {name for name in start if not torch.equal(start[name], after[name])} == set(start)
    assert weights_digest(backbone) == before and not backbone.model.training
    assert all(p.grad is None for p in backbone.model.parameters())


def test_the_loss_of_a_fixed_batch_falls_for_every_method(backbone, setting):
    configs = {m: setting(method=m, steps=10) for m in METHODS}
    data = load_data(TASKS, configs["pt"].data_dir, backbone.files)
    items = [(m, e) for m in METHODS for e in plan_run(configs[m], data, backbone.tokenizer).batch(0)]
    before = losses_by_run(build_fleet(configs, backbone), items)
    after = losses_by_run(run_fleet(backbone, configs)[0], items)
    assert all(after[m][0] < before[m][0] for m in METHODS)


def test_the_same_seed_gives_the_same_bits_and_each_seed_its_own_effect(backbone, setting):
    def final(**seeds):
        return run_fleet(backbone, {"a": setting(**seeds)})[0].state("a")["private.embedding"]

    same = final(seed=3)
    assert torch.equal(final(seed=3), same)
    assert torch.equal(final(seed=7, data_seed=3, init_seed=3), same)
    assert not torch.equal(final(seed=3, data_seed=4), same)
    assert not torch.equal(final(seed=3, init_seed=4), same)


def test_initialisation_is_drawn_by_name(backbone, setting):
    few, many = (build_fleet({"a": setting(sources=s, seed=5)}, backbone).state("a") for s in (2, 3))
    assert torch.equal(few["source.embedding"], many["source.embedding"][:2])
    other_order = build_fleet({"a": setting(seed=5, tasks=TASKS[::-1])}, backbone).state("a")
    assert torch.equal(few["private.embedding"], other_order["private.embedding"].flip(0))
    assert few["private.embedding"].abs().max() <= 0.5 and few["gate.alpha"].abs().max() < 0.2
    assert not few["attention.logits"].any()
    bare = build_fleet({"a": setting(encoder="none")}, backbone).state("a")["source.embedding"]
    table = backbone.model.get_input_embeddings().weight
    assert all((table == vector).all(-1).any() for vector in bare.flatten(0, 1))


def mixed(setting):
    """Runs that differ in everything a fleet allows: method, lengths, S, normaliser, shots, steps, rates, seeds."""
    return {
        "pt": setting(method="pt", prompt_length=3), "pt2": setting(method="pt", prompt_length=3, seed=1, shots=5),
        "mst": setting(method="mst", steps=6), "spp": setting(lr_source=0.3, normalizer="entmax15"),
        "spp2": setting(sources=3, normalizer="sparsemax", seed=2, dropout=0.1),
        "scp": setting(method="scp", steps=3, batch=5),
        "off": setting(gates="off", form="gated_sum", encoder="none"),
        "fixed": setting(attention=((1, 0), (0, 1), (0.5, 0.5)), gates="fixed", alpha=0.5, beta=2, clip=0.01),
    }


def test_a_run_in_a_fleet_equals_the_run_alone(backbone64, setting):
    configs = mixed(setting)
    fleet, ends, events = run_fleet(backbone64, configs)
    assert {state for state, _ in ends.values()} == {"completed"}
    for name, config in configs.items():
        solo, _, solo_events = run_fleet(backbone64, {name: config})
        for key, tensor in solo.state(name).items():
            torch.testing.assert_close(fleet.state(name)[key], tensor, rtol=1e-5, atol=1e-7)
        together = [e for e in events if e.run == name]
        assert [(e.kind, e.step) for e in together] == [(e.kind, e.step) for e in solo_events]
        for ours, alone in zip(together, solo_events, strict=True):
            assert ours.values == pytest.approx(alone.values, rel=1e-5, abs=1e-7, nan_ok=True)


def test_spp_with_one_hot_attention_and_no_private_part_equals_mst(backbone64, setting):
    one_hot = tuple((1, 0) for _ in TASKS)
    spp = setting(attention=one_hot, gates="fixed", alpha=0, beta=1)
    fleet, _, _ = run_fleet(backbone64, {"mst": setting(method="mst"), "spp": spp})
    blocks = {b.structure.method: b.compose()[0] for b in fleet.blocks}
    torch.testing.assert_close(blocks["spp"], blocks["mst"])


def test_spp_without_a_shared_part_equals_pt(backbone64, setting):
    rates = {"lr_private": 0.03, "clip": 1e6}  # PT clips per task, SPP per run: not compared here
    spp = setting(gates="fixed", alpha=1, beta=0, attention="uniform", **rates)
    fleet, _, _ = run_fleet(backbone64, {"pt": setting(method="pt", **rates), "spp": spp})
    blocks = {b.structure.method: b.compose()[0] for b in fleet.blocks}
    # Adam's eps sees the scale of the loss, a mean over tasks here and a sum for PT: hence the tolerance
    torch.testing.assert_close(blocks["spp"], blocks["pt"], rtol=1e-3, atol=2e-4)


def test_leaving_a_fleet_changes_nothing_for_the_others(backbone64, setting):
    configs = {"stays": setting(), "cancelled": setting(seed=1), "paused": setting(method="mst"),
               "short": setting(steps=1)}
    asked = {"cancelled": 0, "paused": 0}

    def control(run):
        if run in asked:
            asked[run] += 1
            if asked[run] == 3:
                return "cancel" if run == "cancelled" else "pause"
        return "keep"

    fleet, ends, _ = run_fleet(backbone64, configs, control)
    assert {run: state for run, (state, _) in ends.items()} == {
        "stays": "completed", "cancelled": "cancelled", "paused": "paused", "short": "completed"}
    assert asked == {"cancelled": 3, "paused": 3}
    alone = run_fleet(backbone64, {"stays": configs["stays"]})[0].state("stays")
    for key, tensor in alone.items():
        torch.testing.assert_close(fleet.state("stays")[key], tensor, rtol=1e-5, atol=1e-7)


def test_a_second_method_of_private_prompts_alone_equals_pt(backbone64, setting, monkeypatch):
    """Whether tasks are independent is one predicate, for loss, clipping, best step and rates: not PT's name."""
    def structure(run):
        return replace(METHODS["pt"].structure(run), method="solo")

    monkeypatch.setitem(METHODS, "solo", replace(METHODS["pt"], name="solo", structure=structure))
    runs = {f"{name} {select}": setting(method=name, select=select, clip=0.1, batch=2, steps=6, shots=9)
            for name in ("pt", "solo") for select in ("last", "best")}
    fleet, _, _ = run_fleet(backbone64, runs)
    for select in ("last", "best"):
        solo = fleet.state(f"solo {select}")
        for name, tensor in fleet.state(f"pt {select}").items():  # the last bits depend on a row's place in a pass
            torch.testing.assert_close(solo[name], tensor, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("batch", "steps", "select"), [(1, 8, "last"), (2, 6, "best")])
def test_pt_with_fewer_rows_a_step_than_tasks_equals_a_run_of_each_task(backbone64, setting, batch, steps, select):
    """Rates, decay, moments and looks at held-out rows follow the steps with a row of the task alone."""
    settings = {"method": "pt", "select": select, "shots": 9, "warmup": 0.4, "weight_decay_prompt": 2.0}
    fleet, _, _ = run_fleet(backbone64, {"a": setting(batch=batch, steps=steps, **settings)})
    for k, task in enumerate(TASKS):
        own = len(range(k, batch * steps, len(TASKS)))  # of rows dealt in turn
        alone, _, _ = run_fleet(backbone64, {"a": setting(tasks=(task,), batch=1, steps=own, **settings)})
        for name, tensor in alone.state("a").items():
            torch.testing.assert_close(fleet.state("a")[name][k], tensor[0], rtol=1e-6, atol=1e-9)


def test_what_a_task_has_of_its_own_rests_in_steps_without_a_row_of_it(backbone, setting):
    config = setting(batch=1, steps=2, weight_decay_weights=5.0, weight_decay_prompt=5.0)
    start = build_fleet({"a": config}, backbone).state("a")
    after = run_fleet(backbone, {"a": config})[0].state("a")
    for name, tensor in after.items():
        moved = [not torch.equal(own, before) for own, before in zip(tensor, start[name], strict=True)]
        assert moved == ([True, True] if name.startswith("source") else [True, True, False]), name


@pytest.mark.parametrize("method", METHODS)
def test_a_loss_that_is_not_finite_fails_that_run_alone(backbone, setting, method):
    configs = {"bad": setting(method=method, seed=1), "good": setting(method=method)}
    plans = {r: plan_run(c, load_data(c.tasks, c.data_dir, backbone.files), backbone.tokenizer)
             for r, c in configs.items()}
    fleet, ends = build_fleet(configs, backbone), {}
    with torch.no_grad():
        block, r = fleet.slot["bad"]
        for name, tensor in block.parameters.items():
            if name.endswith("embedding"):
                tensor[r] = float("inf")
    train(fleet, plans, lambda e: None, lambda r: "keep", lambda run, state, error: ends.update({run: (state, error)}))
    assert ends["good"] == ("completed", None)
    state, error = ends["bad"]
    assert state == "failed" and isinstance(error, TrainingError)
    assert "not finite at step 1, before anything was learned" in str(error) and "Lower its" not in str(error)
    alone = run_fleet(backbone, {"good": configs["good"]})[0].state("good")
    for key, tensor in alone.items():
        torch.testing.assert_close(fleet.state("good")[key], tensor, rtol=1e-3, atol=1e-4)


def test_a_loss_that_leaves_the_numbers_later_blames_the_rates(backbone, setting):
    config = setting(method="pt", lr_private=100, lr_encoder=10, weight_decay_prompt=10, clip=1e6, steps=60, warmup=0)
    state, error = run_fleet(backbone, {"a": config})[1]["a"]
    assert state == "failed" and "Lower its learning rates" in str(error) and "at step 1." not in str(error)


@pytest.mark.parametrize(("spoil", "said"), [
    ({"shared": float("inf")}, "no finite numbers even without a prompt"),
    ({"layer_norm": float("nan")}, "not finite at"),
    ({"": 0.0}, "no gradient reaches its prompts through"), ({".wo.": 1e37}, "no gradient reaches its prompts through"),
])
def test_a_backbone_without_numbers_is_named_before_any_rate(backbone, setting, spoil, said):
    bad = replace(backbone, model=copy.deepcopy(backbone.model), cache=ScoreCache())
    (part, scale), = spoil.items()
    for name, tensor in bad.model.named_parameters():
        if part in name:
            tensor.data.mul_(scale)
    state, error = run_fleet(bad, {"a": setting()})[1]["a"]
    assert state == "failed" and said in str(error) and f"'{bad.files.ref}' (cpu, float32)" in str(error)
    assert "Lower" not in str(error) and len(str(error).splitlines()) == 1


def test_first_prompts_that_are_too_large_are_named(backbone, setting, monkeypatch):
    monkeypatch.setattr("compt_core.training.first_step._finite_without_prompt", lambda backbone, plan: True)
    data = load_data(TASKS, setting().data_dir, backbone.files)
    plan = plan_run(setting(init_range=1000.0), data, backbone.tokenizer)
    assert "Lower init_range (now 1000)" in str(first_step.problem(backbone, "a", plan, float("inf"), 1.0))
    assert first_step.problem(backbone, "a", plan, 0.0, 0.0) is None  # all is known, and there is nothing to learn


@pytest.mark.parametrize("method", ["pt", "spp"])
def test_best_restores_what_had_the_lowest_held_out_loss(backbone, setting, method):
    config = setting(method=method, select="best")
    plan = plan_run(config, load_data(TASKS, config.data_dir, backbone.files), backbone.tokenizer)
    fleet = build_fleet({"a": config}, backbone)
    held_out = [("a", example) for example in plan.held_out]

    def losses():
        return task_losses(fleet, held_out).of("a", len(TASKS))

    best, seen, start = Best(fleet, "a", plan), [], fleet.state("a")
    for scale in (3.0, -2.0, 0.5, 8.0):
        fleet.restore("a", {name: scale * tensor for name, tensor in start.items()})
        best.look(range(len(TASKS)))
        seen.append(losses())
    best.restore()
    mean, each = losses()
    assert len({m for m, _ in seen}) == 4
    if method == "pt":  # a prompt per task, each chosen apart
        assert each == pytest.approx([min(e[k] for _, e in seen) for k in range(len(TASKS))], rel=1e-5)
    else:
        assert mean == pytest.approx(min(m for m, _ in seen), rel=1e-5)


def test_select_best_looks_ten_times_and_puts_the_best_back(backbone, setting, monkeypatch):
    calls = []
    monkeypatch.setattr(Best, "look", lambda self, tasks: calls.append("look"))
    monkeypatch.setattr(Best, "restore", lambda self: calls.append("restore"))
    run_fleet(backbone, {"a": setting(select="best", steps=20)})
    assert calls == ["look"] * 10 + ["restore"]


def test_the_backbone_is_locked_while_it_steps(backbone, setting):
    free = []
    layer = backbone.model.encoder.final_layer_norm
    handle = layer.register_forward_hook(lambda *_: free.append(not backbone.rooms["train"].lock.locked()))
    try:
        run_fleet(backbone, {"a": setting(select="best")})
    finally:
        handle.remove()
    assert free
    assert not any(free)


def test_a_fixed_matrix_is_used_as_it_was_given(backbone, setting):
    matrix = ((1.0, 0.0), (0.25, 0.75), (0.0, 1.0))
    fleet, _, _ = run_fleet(backbone, {"a": setting(attention=matrix)})
    block, r = fleet.slot["a"]
    assert block.attention()[r].tolist() == [list(row) for row in matrix]
    shared = block.mix()
    sources = block.prompts("source")[r]
    torch.testing.assert_close(shared[r, 1], 0.25 * sources[0] + 0.75 * sources[1])


def test_events_report_loss_attention_and_gates(backbone, setting):
    _, _, events = run_fleet(backbone, {"spp": setting(), "pt": setting(method="pt")})
    kinds = {}
    for event in events:
        assert isinstance(event, Event)
        kinds.setdefault((event.run, event.kind), []).append(event)
    assert set(kinds) == {("spp", "loss"), ("spp", "task_loss"), ("spp", "attention"), ("spp", "gates"),
                          ("pt", "loss"), ("pt", "task_loss")}
    assert [e.step for e in kinds["spp", "loss"]] == [1, 2, 3, 4]
    assert [e.step for e in kinds["spp", "attention"]] == [0, 1, 2, 3, 4]
    assert kinds["spp", "attention"][0].values == pytest.approx([0.5] * 6)
    assert len(kinds["spp", "gates"][0].values) == 2 * len(TASKS)
    assert len(kinds["pt", "task_loss"][0].values) == len(TASKS)


def test_dropout_is_of_each_runs_own_and_off_outside_training(backbone64, setting):
    quiet, noisy, again = (
        run_fleet(backbone64, {"a": setting(dropout=rate)})[0].state("a")["private.embedding"]
        for rate in (0, 0.3, 0.3))
    assert torch.equal(noisy, again) and not torch.allclose(quiet, noisy)
    assert not any(m._forward_hooks for m in backbone64.model.modules())


def test_gradients_do_not_depend_on_how_rows_are_chunked(backbone64, setting, monkeypatch):
    configs = {m: setting(method=m) for m in METHODS}
    plans = {r: plan_run(c, load_data(c.tasks, c.data_dir, backbone64.files), backbone64.tokenizer)
             for r, c in configs.items()}
    items = [(r, e) for r in METHODS for e in plans[r].batch(0)]

    def gradients():
        fleet = build_fleet(configs, backbone64)
        forward_backward(fleet, items, dict.fromkeys(plans, 0), plans)
        return [p.grad for b in fleet.blocks for p in b.parameters.values()]

    whole = gradients()
    monkeypatch.setattr(backbone64.rooms["train"], "tokens", 40)
    for a, b in zip(gradients(), whole, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)
