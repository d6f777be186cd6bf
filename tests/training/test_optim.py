"""The stacked optimizer against torch's own, run by run; schedule and clipping."""

import pytest
import torch

from compt_core.methods.table import METHODS
from compt_core.settings.config import RunConfig
from compt_core.training.fleet import build_fleet
from compt_core.training.optim import AdamW, Factors, clip, groups, schedule

RATES = ({"lr_source": 0.05, "lr_gate": 0.2}, {"lr_source": 0.3, "lr_private": 0.01}, {"weight_decay_weights": 0.4})


def fleet(backbone, method="spp", **settings):
    shared = {"tasks": ("sst2", "rte"), "method": method, "sources": 3, "encoder_hidden": 7} | settings
    runs = {str(i): RunConfig(**shared, **own, seed=i) for i, own in enumerate(RATES)}
    return build_fleet(runs, backbone).blocks[0]


def set_gradients(block, step):
    draw = torch.Generator().manual_seed(step)
    for p in block.parameters.values():
        p.grad = torch.randn(p.shape, generator=draw, dtype=p.dtype)


def test_every_run_moves_as_under_torchs_adamw(backbone64):
    block = fleet(backbone64)
    ours = AdamW(block)
    solo = []
    for r, config in enumerate(block.configs):
        own = {name: p[r].detach().clone().requires_grad_() for name, p in block.parameters.items()}
        declared = METHODS[config.method].parameters(config, backbone64.hidden)
        rates = {one.name: one.rate for one in declared}
        solo.append((own, rates, torch.optim.AdamW([
            {"params": [own[one.name]], "lr": one.rate, "weight_decay": one.decay, "name": one.name}
            for one in declared])))
    for step in range(7):
        set_gradients(block, step)
        factors = (1.0, 0.5, 0.25 if step < 4 else 0.0)  # the third run ends early
        for r, (own, rates, adamw) in enumerate(solo):
            for name, p in own.items():
                p.grad = block.parameters[name].grad[r].clone()
            for group in adamw.param_groups:
                group["lr"] = rates[group["name"]] * factors[r]
            if factors[r] > 0:
                adamw.step()
        ours.step([Factors(factor, (factor,) * 2) if factor else None for factor in factors])
    for r, (own, _, _) in enumerate(solo):
        for name, p in own.items():
            torch.testing.assert_close(block.parameters[name][r].detach(), p.detach(), rtol=1e-10, atol=1e-12)


def test_a_run_that_ended_is_untouched_even_by_a_broken_gradient(backbone):
    block = fleet(backbone)
    ours = AdamW(block)
    before = {name: p.detach().clone() for name, p in block.parameters.items()}
    set_gradients(block, 0)
    for p in block.parameters.values():
        p.grad[1] = float("nan")
    ours.step([Factors(1.0, (1.0, 1.0)), None, Factors(1.0, (1.0, 1.0))])
    for name, p in block.parameters.items():
        assert torch.equal(p[1], before[name][1]) and torch.isfinite(p).all()
        assert not torch.equal(p[0], before[name][0])


@pytest.mark.parametrize("method", ["pt", "spp"])
def test_clipping_is_per_run_and_for_pt_per_task(backbone, method):
    block = fleet(backbone, method, clip=2.0)
    set_gradients(block, 1)
    with torch.no_grad():
        for p in block.parameters.values():
            p.grad[0] *= 1e-4  # one run is far below the limit
    before = {name: p.grad.clone() for name, p in block.parameters.items()}
    norms = clip(block)
    after = {name: p.grad for name, p in block.parameters.items()}

    def norm(gradients, r, k=None):
        return torch.sqrt(sum(((g[r] if k is None else g[r, k]) ** 2).sum() for g in gradients.values()))

    assert norms[2] == pytest.approx(norm(before, 2).item(), rel=1e-5)
    assert norm(after, 0) == pytest.approx(norm(before, 0).item(), rel=1e-5)
    if method == "pt":
        assert [norm(after, 1, k).item() for k in (0, 1)] == pytest.approx([2.0, 2.0], rel=1e-4)
    else:
        assert norm(after, 1).item() == pytest.approx(2.0, rel=1e-4)


def test_every_parameter_has_its_parts_rate_and_decay(backbone):
    config = RunConfig(tasks=("sst2",), lr_source=1, lr_private=2, lr_encoder=3, lr_attention=4, lr_gate=5,
                       weight_decay_prompt=6, weight_decay_weights=7, sources=2)
    block = build_fleet({"a": config}, backbone).blocks[0]
    found = {name: at for at, names in groups(block.declared[0], block.parameters).items() for name in names}
    assert found.keys() == block.parameters.keys()
    assert {n.split(".")[0] + (".encoder" if "encoder" in n else ""): at for n, at in found.items()} == {
        "source": (1, 6), "source.encoder": (3, 6), "private": (2, 6), "private.encoder": (3, 6),
        "attention": (4, 7), "gate": (5, 7)}


def test_a_tensor_that_no_method_declares_is_refused(backbone):
    block = fleet(backbone)
    block.parameters["private.extra"] = torch.zeros(3, 2, 4, requires_grad=True)
    with pytest.raises(ValueError, match=r"'private\.extra'"):
        AdamW(block)


def test_the_schedule_rises_then_falls_and_never_reaches_zero():
    factors = [schedule(step, 10, 0.2) for step in range(10)]
    assert factors == pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])
    assert schedule(0, 1, 0.2) == 1.0
    assert schedule(0, 5, 0.0) == 1.0
    assert min(schedule(step, 7, 1.0) for step in range(7)) > 0
