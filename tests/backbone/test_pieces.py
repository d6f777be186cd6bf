"""The pieces nearest to prompt vectors, against a plain look through the whole table."""

import json
import shutil

import numpy as np
import pytest

from compt_core.backbone import vocabulary
from compt_core.backbone.files import read_tokenizer
from compt_core.backbone.load import find_backbone
from compt_core.errors import BackboneError


@pytest.fixture(scope="module")
def files(tiny_t5):
    return find_backbone(str(tiny_t5))


@pytest.fixture(scope="module")
def table(backbone, files):
    known = read_tokenizer(files).get_vocab_size()
    return backbone.model.get_input_embeddings().weight.detach().double().numpy()[:known]


VECTORS = np.random.default_rng(5).normal(size=(4, 24)) * np.array([1, 700, 1e-3, 1])[:, None]


@pytest.mark.parametrize("stretch", [1, 24 * 7, 10**9])
@pytest.mark.parametrize("measure", vocabulary.MEASURES)
def test_nearest_pieces_are_those_of_the_whole_table(files, table, monkeypatch, measure, stretch):
    monkeypatch.setattr(vocabulary, "_STRETCH", stretch)
    full = {"cosine": VECTORS @ table.T / np.outer(np.linalg.norm(VECTORS, axis=1), np.linalg.norm(table, axis=1)),
            "dot": VECTORS @ table.T, "distance": -np.linalg.norm(VECTORS[:, None] - table[None], axis=-1)}[measure]
    found = vocabulary.nearest(files, VECTORS, measure, count=3)
    best = np.sort(full, axis=1)[:, ::-1][:, :3]
    np.testing.assert_allclose(found.values, np.abs(best) if measure == "distance" else best, rtol=2e-6)
    near = np.take_along_axis(full, found.ids, axis=1)
    np.testing.assert_allclose(near, best, rtol=2e-6)


@pytest.mark.parametrize("measure", vocabulary.MEASURES)
@pytest.mark.parametrize("scale", [1e-30, 1, 1e30])
def test_float32_bears_vectors_of_any_scale(files, table, measure, scale):
    found = vocabulary.nearest(files, scale * VECTORS[:1], measure, count=2)
    one = scale * VECTORS[0] / np.linalg.norm(scale * VECTORS[0])
    lengths, size = np.linalg.norm(table, axis=1), np.linalg.norm(scale * VECTORS[0])
    full = {"cosine": table @ one / lengths, "dot": table @ one * size, "distance": np.hypot(
        size - table @ one, np.sqrt(np.maximum(lengths**2 - (table @ one)**2, 0)))}[measure]
    best = np.sort(full)[:2] if measure == "distance" else np.sort(full)[::-1][:2]
    np.testing.assert_allclose(found.values[0], best, rtol=1e-5)


def test_a_few_of_many_are_found_without_sorting_all():
    values = np.random.default_rng(3).normal(size=(5, 200))
    for count in (1, 7, 199, 200, 500):
        found = vocabulary._highest(values, count)
        wanted = np.sort(np.argsort(-values, axis=1)[:, :count], axis=1)
        assert np.array_equal(found, wanted)


def test_a_piece_is_nearest_to_itself_at_any_scale_and_rows_without_a_piece_are_left_out(files, table):
    for scale in (1, 700, 1e-6):
        found = vocabulary.nearest(files, scale * table[[40, 3]], "cosine", 1)
        assert found.ids.ravel().tolist() == [40, 3] and found.values == pytest.approx(1)
    assert vocabulary.spelled(files, found.ids) == [read_tokenizer(files).id_to_token(i) for i in (40, 3)]
    assert vocabulary.nearest(files, VECTORS, "cosine", 10**6).ids.shape == (4, len(table))


def test_chance_is_what_random_directions_reach(files, table):
    draw = np.random.default_rng(11).normal(size=(3000, 24))
    cosines = (draw @ table.T / np.outer(np.linalg.norm(draw, axis=1), np.linalg.norm(table, axis=1))).max(1)
    median, beyond = vocabulary.nearest(files, VECTORS, "cosine").chance
    assert median == pytest.approx(np.median(cosines), abs=0.02)
    assert beyond == pytest.approx(np.quantile(cosines, 0.95), abs=0.05)
    assert vocabulary.nearest(files, VECTORS, "cosine").chance == (median, beyond)
    near, far = vocabulary.nearest(files, VECTORS, "distance").chance[::-1]
    assert near < far  # for distances, nearer than 95% is below the median


def test_the_norms_of_the_vocabulary(files, table):
    norms = np.linalg.norm(table, axis=1)
    assert vocabulary.norm_range(files) == pytest.approx(tuple(np.quantile(norms, [0.05, 0.5, 0.95])), rel=1e-6)


def test_a_table_in_bfloat16_and_under_another_name_is_read(tmp_path, tiny_t5, table):
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_t5, tmp_path / "t5")
    weights = {name: value.bfloat16() for name, value in load_file(tiny_t5 / "model.safetensors").items()}
    weights["encoder.embed_tokens.weight"] = weights.pop("shared.weight")
    save_file(weights, tmp_path / "t5" / "model.safetensors")
    files = find_backbone(str(tmp_path / "t5"))
    assert vocabulary.nearest(files, table[[9]], "cosine", 1).ids.tolist() == [[9]]
    del weights["encoder.embed_tokens.weight"]
    save_file(weights, tmp_path / "t5" / "model.safetensors")
    with pytest.raises(BackboneError, match=r"lacks the weight 'shared.weight'"):
        vocabulary.nearest(files, VECTORS, "cosine")


def test_the_demo_backbone_has_a_norm_and_pieces_for_all(tmp_path):
    demo = find_backbone("demo")
    low, middle, high = vocabulary.norm_range(demo)
    assert 0 < low < middle < high
    names = vocabulary.spelled(demo, np.arange(read_tokenizer(demo).get_vocab_size()))
    assert len(set(names)) == len(names)
    assert json.loads((demo.folder / "config.json").read_text())["d_model"] == demo.hidden
