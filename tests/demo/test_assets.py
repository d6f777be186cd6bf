"""The bundled backbone and its tokenizer: loads, is small, knows every word, and can do what its README says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from compt_core.demo.backbone import new_backbone
from compt_core.demo.pretrain import export
from compt_core.demo.skills import skill_table
from compt_core.demo.vocabulary import build_tokenizer, vocabulary
from compt_core.language.cases import SKILLS
from compt_core.tasks.demo import DEMO, demo_rows

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "demo-t5"
PROMISED = {2: 0.97, 3: 0.93, 26: 0.95}  # labels -> accuracy, or Pearson's r of a graded skill


@pytest.fixture(scope="module")
def tokenizer():  # type: ignore[no-untyped-def]
    return AutoTokenizer.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def model():  # type: ignore[no-untyped-def]
    loaded, report = AutoModelForSeq2SeqLM.from_pretrained(
        FOLDER, use_safetensors=True, output_loading_info=True, dtype=torch.float32)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    return loaded.eval()


def test_folder_is_small_and_holds_no_pickle(model) -> None:  # type: ignore[no-untyped-def]
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12 * 2**20
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md"}
    assert model.lm_head.weight is model.shared.weight
    assert sum(weight.numel() for weight in model.parameters()) - model.shared.weight.numel() <= 800_000


def test_the_tokenizer_is_the_one_of_this_code(tokenizer) -> None:  # type: ignore[no-untyped-def]
    assert tokenizer.get_vocab() == vocabulary() == build_tokenizer().get_vocab()
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)


def test_no_rendered_piece_holds_an_unknown_word(tokenizer) -> None:  # type: ignore[no-untyped-def]
    def ids(piece: str) -> list[int]:
        return list(tokenizer(piece, add_special_tokens=False).input_ids)

    for task in DEMO:
        named = [] if task.suite == "demo-more" else [f"{task.name}:"]  # for that suite <unk> stands, as was taught
        pieces = [*named, "sentence:", "sentence1:", "sentence2:", *task.labels]
        assert all(len(ids(piece)) == 1 and tokenizer.unk_token_id not in ids(piece) for piece in pieces)
    words = {word for task in DEMO for split in ("train", "dev") for row in demo_rows(task.name, split)
             for text in row.texts for word in text.split()}
    assert len(words) > 100
    assert tokenizer.unk_token_id not in {index for word in tokenizer(sorted(words)).input_ids for index in word}


def test_case_and_punctuation_do_not_matter(tokenizer) -> None:  # type: ignore[no-untyped-def]
    one = tokenizer("In the cellar, the chef didn't praise the dog.", add_special_tokens=False).input_ids
    two = tokenizer("in the cellar the chef didn’t praise the DOG?", add_special_tokens=False).input_ids
    assert one == two and len(one) == 9
    assert tokenizer("dragon", add_special_tokens=False).input_ids == [tokenizer.unk_token_id]


def test_float16_weights_have_the_scale_that_prompts_need(model) -> None:  # type: ignore[no-untyped-def]
    assert 0.2 < model.shared.weight.square().mean().sqrt() < 1.0
    assert all(torch.isfinite(weight).all() for weight in model.state_dict().values())


def test_skills_on_texts_that_were_not_taught(model) -> None:  # type: ignore[no-untyped-def]
    for skill, ability in skill_table(model, rows=400).items():
        assert ability.taught >= PROMISED[SKILLS[skill].labels], f"{skill}: {ability}"


def test_random_weights_have_no_skill() -> None:
    for skill, (metric, taught, held_out) in skill_table(new_backbone(1).eval(), rows=300).items():
        chance = 1 / SKILLS[skill].labels if metric == "accuracy" else 0.0
        for value in (taught, chance if held_out is None else held_out):
            assert abs(value - chance) < 0.12, f"{skill}: {value:.3f}"


def test_an_exported_backbone_loads_from_its_folder(tmp_path: Path) -> None:
    export(new_backbone(2), tmp_path)
    loaded = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, use_safetensors=True)
    assert loaded.dtype == torch.float16 and len(AutoTokenizer.from_pretrained(tmp_path)) == len(vocabulary())
