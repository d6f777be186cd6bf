"""Where prompts lie: of any scale, the same each time, with the sign held; and small sketches that keep distances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from compt_core.analysis import projections
from compt_core.composition import geometry

DRAW = np.random.default_rng(7)
ROWS = DRAW.normal(size=(11, 6)) @ np.diag([5, 3, 1, 1, 0.5, 0.1])
SCALES = np.array([1, 700, 1e-6, 1e30, 1e-200, 3, 1, 700, 1e5, 1, 2.0])


def test_groups_are_those_that_differ():
    tensors = {"composed": np.zeros((2, 3, 4)), "private": np.ones((2, 3, 4)), "gate.alpha": np.ones(2)}
    assert [p.name for p in geometry.prompts_of(tensors, ["a", "b"], repeats=True)] == ["private a", "private b"]
    tensors["source"] = np.full((3, 2, 4), 2.0)
    shown = geometry.prompts_of(tensors, ["a", "b"], repeats=False)
    assert [p.name for p in shown] == ["s0", "s1", "s2", "private a", "private b", "composed a", "composed b"]
    assert [p.vectors.shape for p in shown] == [(2, 4)] * 3 + [(3, 4)] * 4 and shown[3].vectors[0, 0] == 1


def test_prompts_are_compared_whole_or_by_the_mean_of_their_vectors():
    one, two = DRAW.normal(size=(2, 3, 4))
    assert geometry.rows([one, two]).tolist() == [one.ravel().tolist(), two.ravel().tolist()]
    assert geometry.rows([one, two[:2]], whole=False).tolist() == [one.mean(0).tolist(), two[:2].mean(0).tolist()]
    assert geometry.one_length([(3, 4), (3, 4)]) and not geometry.one_length([(3, 4), (2, 4)])


@pytest.mark.filterwarnings("error")
def test_no_scale_changes_a_cosine_or_a_map():
    scaled = ROWS * SCALES[:, None]
    plain = ROWS @ ROWS.T / np.outer(*[np.linalg.norm(ROWS, axis=1)] * 2)
    np.testing.assert_allclose(geometry.cosines(ROWS), plain, atol=1e-12)
    np.testing.assert_allclose(geometry.cosines(scaled), plain, atol=1e-12)
    np.testing.assert_allclose(projections.pca(scaled).points, projections.pca(ROWS).points, atol=1e-9)
    np.testing.assert_allclose(geometry.cosines(ROWS[:2], scaled), plain[:2], atol=1e-12)


@pytest.mark.parametrize("scale", [1, 700, 1e30, 1e-30, 1e-250])
def test_norms_are_right_at_any_scale(scale):
    prompt = np.array([[3.0, 4, 0], [0, 0, 0], [1, 2, 2]])
    np.testing.assert_allclose(geometry.norms(prompt * scale) / scale, [5, 0, 3])
    assert geometry.rms(prompt * scale) / scale == pytest.approx(np.sqrt(34 / 9))


def test_zeros_are_like_nothing_and_break_nothing():
    values = np.array([[0.0, 0], [1, 0], [1, 1]])
    assert geometry.cosines(values)[0].tolist() == [0, 0, 0]
    assert geometry.rms(np.zeros((2, 3))) == 0 and geometry.norms(np.zeros((2, 3))).tolist() == [0, 0]
    assert np.isfinite(projections.pca(values).points).all()


@pytest.mark.parametrize("dimensions", [20, 640])
@pytest.mark.parametrize("tries", [1, 4])
def test_random_directions_pass_the_level_of_chance_in_one_case_of_twenty(dimensions, tries):
    draw = np.random.default_rng(3)
    own, others = draw.normal(size=(4000, dimensions)), draw.normal(size=(tries, dimensions))
    passed = (np.abs(geometry.cosines(own, others)).max(1) > geometry.chance(dimensions, tries)).mean()
    assert 0.03 < passed < 0.065


# Maps


def test_pca_is_that_of_the_directions_and_shares_out_their_variance():
    found = projections.pca(ROWS)
    own = geometry.directions(ROWS) - geometry.directions(ROWS).mean(0)
    variances = np.linalg.svd(own, compute_uv=False) ** 2
    np.testing.assert_allclose(found.explained, (variances / variances.sum())[:2])
    np.testing.assert_allclose((found.points ** 2).sum(0), variances[:2])


def test_the_same_rows_give_the_same_picture_in_any_order_with_the_sign_held():
    found, order = projections.pca(ROWS), DRAW.permutation(len(ROWS))
    assert np.array_equal(found.points, projections.pca(ROWS).points)
    np.testing.assert_allclose(projections.pca(ROWS[order]).points, found.points[order], atol=1e-9)
    np.testing.assert_allclose(projections.pca(-ROWS).points, -found.points, atol=1e-9)  # no flip of an axis by itself
    again = projections.tsne(ROWS, 3)
    assert again.explained is None and np.array_equal(projections.tsne(ROWS, 3).points, again.points)
    assert again.points.shape == (11, 2) and np.isfinite(again.points).all()


@pytest.mark.parametrize("values", [ROWS[:2], ROWS[:, :1], np.ones((4, 3)), np.zeros((3, 2)), ROWS[:2, :1]])
def test_few_points_or_numbers_still_make_a_map(values):
    found = projections.pca(values)
    assert found.points.shape == (len(values), 2) and np.isfinite(found.points).all()
    assert found.explained is not None and sum(found.explained) <= 1 + 1e-9


def test_tsne_keeps_groups_apart_and_takes_few_points():
    groups = np.repeat(np.eye(3), 5, axis=0) * 4 + 0.3 * DRAW.normal(size=(15, 3))
    points = projections.tsne(groups * np.array([1, 700, 1])[np.arange(15) % 3, None], 3).points
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.diag(np.full(15, np.inf))
    assert (apart.argmin(1) // 5 == np.arange(15) // 5).all()
    assert projections.tsne(ROWS[:7], 2).points.shape == (7, 2)


@pytest.mark.parametrize(("points", "allowed"), [(2, []), (6, []), (7, [2]), (28, [2, 3, 5, 8]), (1000, [
    2, 3, 5, 8, 12, 20, 30, 50])])
def test_perplexities_are_below_a_third_of_the_points(points, allowed):
    assert projections.perplexities(points) == allowed
    if points < 20:
        with pytest.raises(ValueError, match="is not in"):
            projections.tsne(DRAW.normal(size=(points, 3)), 8)


@given(count=st.integers(1, 3000), most=st.integers(2, 500))
def test_thinning_keeps_both_ends(count, most):
    kept = projections.thinned(count, most)
    assert len(kept) == min(count, most) == len(set(kept.tolist()))
    assert (kept[0], kept[-1]) == (0, count - 1)


# Sketches


def test_a_sketch_keeps_norms_and_distances_of_large_prompts():
    prompts = [scale * one for scale, one in zip([1, 700, 0.01, 3, 1e9], DRAW.normal(size=(5, 20, 300)), strict=True)]
    prompts[1] += 500 * prompts[0]
    kept = geometry.sketch(prompts)
    assert kept.shape == (5, 1 + geometry.SKETCH)
    norms, directions = geometry.unsketched(kept.astype(np.float16).reshape(1, -1), 5)
    np.testing.assert_allclose(norms[0], [np.linalg.norm(one) for one in prompts], rtol=0.01)
    exact = pdist(geometry.directions(geometry.rows(prompts)))
    assert np.abs(pdist(directions[0]) / exact - 1).max() < 4 / np.sqrt(2 * geometry.SKETCH)
    assert np.array_equal(geometry.sketch(prompts), kept)


def test_short_rows_are_kept_as_they_are_and_other_lengths_by_their_means():
    one, two = DRAW.normal(size=(2, 3, 5))
    np.testing.assert_allclose(geometry.sketch([one, two])[:, 1:], geometry.directions(geometry.rows([one, two])))
    means = geometry.sketch([one, two[:2]])
    assert means.shape == (2, 6)
    np.testing.assert_allclose(means[1, 1:], geometry.directions(two[:2].mean(0)[None])[0])
    with_zeros = geometry.sketch([one, 0 * one])
    assert with_zeros[1, 0] == -np.inf and geometry.unsketched(with_zeros.reshape(1, -1), 2)[0][0, 1] == 0
