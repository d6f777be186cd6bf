"""The bundled backbone and its tokenizer: loads, is small, knows every word, and can do what its README says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from compt_core.demo.backbone import new_backbone
from compt_core.demo.skills import skill_table
from compt_core.demo.vocabulary import build_tokenizer, vocabulary
from compt_core.tasks.demo import DEMO, demo_rows

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "demo-t5"


@pytest.fixture(scope="module")
def tokenizer():  # type: ignore[no-untyped-def]
    return AutoTokenizer.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def model():  # type: ignore[no-untyped-def]
    loaded, report = AutoModelForSeq2SeqLM.from_pretrained(
        FOLDER, use_safetensors=True, output_loading_info=True, dtype=torch.float32)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    return loaded.eval()


def test_folder_is_small_and_holds_no_pickle() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2 * 2**20
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md"}


def test_the_tokenizer_is_the_one_of_this_code(tokenizer) -> None:  # type: ignore[no-untyped-def]
    assert tokenizer.get_vocab() == vocabulary() == build_tokenizer().get_vocab()
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)


def test_no_rendered_piece_holds_an_unknown_word(tokenizer) -> None:  # type: ignore[no-untyped-def]
    def ids(piece: str) -> list[int]:
        return list(tokenizer(piece, add_special_tokens=False).input_ids)

    for task in DEMO:
        pieces = [f"{task.name}:", "sentence:", "sentence1:", "sentence2:", *task.labels]
        assert all(len(ids(piece)) == 1 and tokenizer.unk_token_id not in ids(piece) for piece in pieces)
        texts = [text for split in ("train", "dev") for row in demo_rows(task.name, split) for text in row.texts]
        assert tokenizer.unk_token_id not in {index for row in tokenizer(texts).input_ids for index in row}


def test_case_and_punctuation_do_not_matter(tokenizer) -> None:  # type: ignore[no-untyped-def]
    one = tokenizer("In the cellar, the chef didn't praise the dog.", add_special_tokens=False).input_ids
    two = tokenizer("in the cellar the chef didn't praise the DOG", add_special_tokens=False).input_ids
    assert one == two and len(one) == 9
    assert tokenizer("dragon", add_special_tokens=False).input_ids == [tokenizer.unk_token_id]


def test_float16_weights_have_the_scale_that_prompts_need(model) -> None:  # type: ignore[no-untyped-def]
    assert 0.2 < model.shared.weight.square().mean().sqrt() < 1.0
    assert all(torch.isfinite(weight).all() for weight in model.state_dict().values())


def test_skills_on_sentences_that_were_not_taught(model) -> None:  # type: ignore[no-untyped-def]
    for skill, (taught, held_out) in skill_table(model, rows=300).items():
        assert taught >= 0.88, f"{skill}: {taught:.3f}"
        assert held_out is None or held_out >= 0.86, f"{skill} with held-out label words: {held_out:.3f}"


def test_random_weights_have_no_skill() -> None:
    for skill, (taught, held_out) in skill_table(new_backbone(1).eval(), rows=300).items():
        assert 0.4 < taught < 0.6, f"{skill}: {taught:.3f}"
        assert held_out is None or 0.4 < held_out < 0.6
