"""The paper's equations against plain loops and in float64 gradients; all sizes differ."""

import pytest
import torch

from compt_core.composition.combine import FORMS, compose, shared_part
from compt_core.composition.encoder import encode
from compt_core.composition.gates import gate, private_norm_share, private_share

R, K, S, P, H, D = 2, 3, 4, 5, 6, 7


def numbers(*shape, low=-1.0, high=1.0):
    return torch.rand(*shape, dtype=torch.float64) * (high - low) + low


def inputs(p_shared=P, p_private=P):
    return numbers(R, K, p_shared, H), numbers(R, K, p_private, H), numbers(R, K, low=0.1), numbers(R, K, low=0.1)


def test_the_shared_part_is_the_weighted_sum_of_sources():
    a, sources = numbers(R, K, S), numbers(R, S, P, H)
    got = shared_part(a, sources)
    for r in range(R):
        for k in range(K):
            torch.testing.assert_close(got[r, k], sum(a[r, k, s] * sources[r, s] for s in range(S)))


@pytest.mark.parametrize(("form", "formula"), [
    ("mean", lambda c, p, a, b: (b * c + a * p) / (a + b)),
    ("gated_sum", lambda c, p, a, b: c + a * p),
    ("sum", lambda c, p, a, b: c + p),
    ("concat", lambda c, p, a, b: torch.cat([b * c, a * p])),
])
def test_each_form_is_its_formula(form, formula):
    shared, private, alpha, beta = inputs(p_private=3 if form == "concat" else P)
    got = compose(shared, private, alpha, beta, form)
    for r in range(R):
        for k in range(K):
            torch.testing.assert_close(got[r, k], formula(shared[r, k], private[r, k], alpha[r, k], beta[r, k]))


@pytest.mark.parametrize("form", FORMS)
def test_gradients_of_the_composition_are_right(form):
    a, sources = numbers(R, K, S).requires_grad_(), numbers(R, S, P, H).requires_grad_()
    private, al, be = (t.requires_grad_() for t in (numbers(R, K, P, H), numbers(R, K), numbers(R, K)))

    def composed(a, sources, private, al, be):
        return compose(shared_part(a, sources), private, gate(al), gate(be), form)

    assert torch.autograd.gradcheck(composed, (a, sources, private, al, be))


@pytest.mark.parametrize("residual", [True, False])
def test_the_encoder_is_two_linear_layers_and_its_gradients_are_right(residual):
    e, w1, b1, w2, b2 = (numbers(*s).requires_grad_() for s in
                         ((R, S, P, H), (R, S, H, D), (R, S, D), (R, S, D, H), (R, S, H)))
    got = encode(e, w1, b1, w2, b2, residual=residual)
    one = torch.nn.functional.gelu(e[1, 2] @ w1[1, 2] + b1[1, 2]) @ w2[1, 2] + b2[1, 2]
    torch.testing.assert_close(got[1, 2], one + e[1, 2] if residual else one)
    assert torch.autograd.gradcheck(lambda *t: encode(*t, residual=residual), (e, w1, b1, w2, b2))


def test_only_the_ratio_of_the_gates_enters_the_mean():
    shared, private, alpha, beta = inputs()
    torch.testing.assert_close(compose(shared, private, alpha, beta, "mean"),
                               compose(shared, private, 0.3 * alpha, 0.3 * beta, "mean"))


def test_a_gate_at_zero_silences_its_part():
    shared, private, gates, zero = *inputs()[:3], torch.zeros(R, K, dtype=torch.float64)
    torch.testing.assert_close(compose(shared, private, zero, gates, "mean"), shared)
    torch.testing.assert_close(compose(shared, private, gates, zero, "mean"), private)


def test_shares():
    ones = torch.ones(R, K)
    torch.testing.assert_close(private_share(ones, 3 * ones), 0.25 * ones)
    part = torch.ones(R, K, P, H)
    torch.testing.assert_close(private_norm_share(part, 3 * part), 0.75 * ones)
    torch.testing.assert_close(private_norm_share(torch.ones(R, K, 2, H) * 0, part), ones)
