"""Normalisers: gradients in float64, relations that hold for any of them, and the definition by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compt_core.composition.normalize import normalise

KINDS = ("sigmoid", "softmax", "sparsemax", "entmax15")
SIMPLEX = KINDS[1:]
LOGITS = torch.tensor([[0.3, -0.8, 1.1, 0.13, 0.05], [2.0, 0.1, -0.3, 0.7, 0.4], [0.0, 0.01, -0.02, 0.03, -0.05]],
                      dtype=torch.float64)  # [K=3, S=5], no ties: sparsemax has a kink there


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_right(kind):
    assert torch.autograd.gradcheck(lambda x: normalise(x, kind), LOGITS.clone().requires_grad_())


@pytest.mark.parametrize("kind", SIMPLEX)
def test_a_source_at_minus_infinity_changes_nothing(kind):
    far = torch.full((3, 1), -1e6, dtype=torch.float64)
    wider = normalise(torch.cat([LOGITS, far], dim=1), kind)
    torch.testing.assert_close(wider[:, :5], normalise(LOGITS, kind))
    assert (wider[:, 5] == 0).all()


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=9), st.sampled_from(SIMPLEX), st.floats(-50, 50))
def test_weights_sum_to_one_and_do_not_see_a_shift(logits, kind, shift):
    x = torch.tensor(logits, dtype=torch.float64)
    weights = normalise(x, kind)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(), torch.ones((), dtype=torch.float64))
    torch.testing.assert_close(normalise(x + shift, kind), weights, atol=1e-7, rtol=1e-7)


def test_sparsemax_is_the_projection_onto_the_simplex():
    x = torch.tensor([1.2, 0.9, -0.4], dtype=torch.float64)  # support {0, 1}: threshold (1.2 + .9 − 1) / 2
    torch.testing.assert_close(normalise(x, "sparsemax"), torch.tensor([0.65, 0.35, 0.0], dtype=torch.float64))


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_never_below_float32(kind):
    assert normalise(LOGITS.bfloat16(), kind).dtype == torch.float32


@pytest.mark.parametrize("kind", SIMPLEX)
def test_equal_logits_give_uniform_weights(kind):
    torch.testing.assert_close(normalise(torch.zeros(2, 4), kind), torch.full((2, 4), 0.25))


def test_an_unknown_kind_is_refused():
    with pytest.raises(KeyError):
        normalise(LOGITS, "hardmax")
