"""The script that makes a backbone around a tokenizer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from transformers import T5Config

from benchmarks import make_backbone
from compt_core.backbone.load import find_backbone, load_backbone

ROOT = Path(__file__).resolve().parents[2]


def test_a_backbone_is_made_from_a_tokenizer(
    tiny_t5: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_backbone.main([str(tiny_t5), str(tmp_path / "one"), "--size", "tiny", "--d-model", "20", "--seed", "5"])
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'one'}: hidden size 20, 3 layers, vocabulary of 256\n"
    assert err == ""
    loaded = load_backbone(find_backbone(str(tmp_path / "one")), "cpu")
    assert loaded.model.config.decoder_start_token_id == 0
    assert loaded.model.config.d_ff == 64
    assert loaded.tokenizer("the river")["input_ids"][-1] == loaded.tokenizer.eos_token_id


def test_equal_seeds_make_equal_backbones(tiny_t5: Path, tmp_path: Path) -> None:
    sizes = make_backbone.SIZES["tiny"]
    one, two, other = (make_backbone.make_backbone(tiny_t5, tmp_path / name, seed=seed, **sizes)
                       for name, seed in (("one", 3), ("two", 3), ("other", 4)))
    assert one.digest() == two.digest() != other.digest()
    assert one.folder == tmp_path / "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other", "two"]


def test_the_small_size_is_that_of_t5_small() -> None:
    small = make_backbone.SIZES["small"]
    assert small == {name: getattr(T5Config(), name) for name in small}


@pytest.mark.parametrize(("arguments", "says"), [
    ((), "the following arguments are required: TOKENIZER_DIR, OUT_DIR"),
    (("TOKENIZER", "OUT", "--size", "huge"), "invalid choice: 'huge'"),
    (("TOKENIZER", "OUT", "--d-ff", "0"), "argument --d-ff: must be a whole number above 0. Got '0' instead"),
    (("TOKENIZER", "OUT", "--speed", "3"), "unrecognized arguments: --speed 3"),
    (("EMPTY", "OUT"), "has no tokenizer.json. Give one that a fast tokenizer's save_pretrained wrote."),
    (("TOKENIZER", "TOKENIZER"), "is there already. Give a new one, or remove it."),
])
def test_bad_input_of_the_script_is_one_line(
    tiny_t5: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"TOKENIZER": str(tiny_t5), "OUT": str(tmp_path / "out"), "EMPTY": str(tmp_path / "empty")}
    with pytest.raises(SystemExit) as left:
        make_backbone.main([places.get(word, word) for word in arguments])
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_script_runs_from_anywhere(tmp_path: Path) -> None:
    script = ROOT / "benchmarks" / "make_backbone.py"
    done = subprocess.run([sys.executable, script, "--help"], cwd=tmp_path, text=True, capture_output=True, check=True)
    assert "TOKENIZER_DIR OUT_DIR" in done.stdout
