"""A spiece.model gives the ids of sentencepiece itself, and a hostile one is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from published import write
from sentencepiece import SentencePieceProcessor
from test_tokenizer_files import trie
from tokenizers import Tokenizer
from transformers import ByT5Tokenizer, T5Tokenizer

from compt_core.backbone import byte_pieces, spiece
from compt_core.backbone.files import encoder, read_tokenizer
from compt_core.backbone.load import find_backbone, load_backbone
from compt_core.errors import BackboneError

Problem = Callable[[object], str]
ROOT = Path(__file__).resolve().parents[2]
REAL = [line for name in ("README.md", "CHANGELOG.md", "docs/FINDINGS.md", "docs/DIAGNOSIS.md", "LICENSE")
        for line in (ROOT / name).read_text().splitlines() if "<" not in line]  # no names of special tokens
ODD = ["", " ", "  a  b ", "a\tb\nc\r\n", "▁a▁▁b▁", "ａｂｃ １２３", "e\u0301 é", "ﬁne ½ ㌔ ™ ©\ufe0f", "猫が好き",
       "😀 👩\u200d👩\u200d👧", "a\u00a0b\u3000c\u200bd\u2028e\u0085f", "\x00a\x01b\x7f", "a" * 300, "Å Å",
       "क्षि नमस्ते", "한국어 \u1112\u1161\u11ab", "\ufeffhello", "a\u00adb", "ﷺ", "İi̇ Ǆ ß", "\u0300abc",
       "ｶﾞｷﾞﾊﾟ", "Tiếng Vie\u0323\u0302t", "…―—–", "\U0010ffff", "#", "<", "\\n"]
# Letters, marks and spaces of many kinds, but no two marks in a row and none behind a ligature.
TEXTS = st.lists(st.sampled_from([
    *"abc theing .,-<>/_", "é", "e\u0301", "ｶﾞ", "ａ", "１", "가", "½", "ﬁ", "猫", "😀", "\t", "\u00a0", "\u3000",
    "\u200d", "\u200b", "क", "ि", "  ", "▁", "<unk", "\x01", "\u0085"]), max_size=30).map("".join)


@pytest.fixture(scope="module", params=["t5", "mt5"])
def both(request: pytest.FixtureRequest, spieces: dict[str, Path]) -> tuple[SentencePieceProcessor, Tokenizer]:
    """sentencepiece and our tokenizer of one model."""
    path = spieces[request.param]
    return SentencePieceProcessor(model_file=str(path)), Tokenizer.from_str(json.dumps(spiece.described(path, {})))


def same(both: tuple[SentencePieceProcessor, Tokenizer], text: str) -> None:
    """The same ids; where two ways to cut have one score, another way of that score."""
    theirs, ours = both[0].encode(text), both[1].encode(text, add_special_tokens=False).ids
    if theirs != ours:
        first, second = (sum(map(both[0].get_score, ids)) for ids in (theirs, ours))
        assert abs(first - second) < 1e-4 and both[0].decode(theirs) == both[0].decode(ours), text


@pytest.mark.parametrize("texts", [REAL, ODD], ids=["real", "odd"])
def test_ids_are_those_of_sentencepiece(both: tuple[SentencePieceProcessor, Tokenizer], texts: list[str]) -> None:
    for text in texts:
        same(both, text)
    differ = sum(both[0].encode(text) != both[1].encode(text, add_special_tokens=False).ids for text in texts)
    assert differ <= len(texts) / 200  # of equal score


@given(text=TEXTS)
def test_ids_are_those_of_sentencepiece_for_any_text(both: tuple[SentencePieceProcessor, Tokenizer], text: str) -> None:
    same(both, text)


def test_rare_characters_become_bytes_where_the_model_has_them(spieces: dict[str, Path], tmp_path: Path) -> None:
    plain, bytes_ = (find_backbone(str(write(tmp_path / name, name, spieces[name]))) for name in ("t5", "mt5"))
    encode, unknown = encoder(plain)
    assert unknown == 2 and unknown in encode(["猫"])[0]
    encode, unknown = encoder(bytes_)
    ids = encode(["猫"])[0]
    assert unknown not in ids and len(ids) == 4
    assert read_tokenizer(bytes_).decode(ids) == "猫"


def test_the_pieces_are_those_of_transformers(spieces: dict[str, Path], tmp_path: Path) -> None:
    """Ids, names, the extra ids at the end, and the ids of English text."""
    theirs = T5Tokenizer.from_pretrained(write(tmp_path / "t5", "t5-v1_1", spieces["t5"]))
    ours = Tokenizer.from_str(json.dumps(spiece.described(spieces["t5"], {})))
    assert ours.get_vocab() == theirs.get_vocab()
    plain = [text for text in REAL if text.isascii()]
    assert [ours.encode(text).ids for text in plain] == [theirs(text)["input_ids"] for text in plain]
    assert [ours.id_to_token(number) for number in (0, 1, 2, 700, 799)] == [
        "<pad>", "</s>", "<unk>", "<extra_id_99>", "<extra_id_0>"]


@pytest.mark.parametrize(("name", "beside", "size"), [
    ("t5", {}, 800), ("t5", {"extra_ids": 300}, 1000), ("t5", {"extra_ids": 0}, 700), ("mt5", {}, 700)])
def test_how_many_extra_ids_there_are(name: str, beside: dict[str, int], size: int, spieces: dict[str, Path]) -> None:
    about = spiece.described(spieces[name], beside)
    assert len(about["model"]["vocab"]) == size


def test_user_defined_pieces_always_win(tmp_path: Path, spieces: dict[str, Path]) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(REAL))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "texts.txt"), model_prefix=str(tmp_path / "own"), vocab_size=700, pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, minloglevel=2, num_threads=1, user_defined_symbols=["<sep>", "xfoo"])
    path = tmp_path / "own.model"
    pair = SentencePieceProcessor(model_file=str(path)), Tokenizer.from_str(json.dumps(spiece.described(path, {})))
    for text in ("a<sep>b", "xxfoo", "the<sep> xfoo<sep>", *REAL[:50]):
        same(pair, text)


@pytest.mark.parametrize("rule", [{"normalization_rule_name": "identity"}, {"remove_extra_whitespaces": False},
                                  {"add_dummy_prefix": False}])
def test_other_ways_to_read_spaces_are_followed(rule: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(REAL))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "texts.txt"), model_prefix=str(tmp_path / "own"), vocab_size=700, pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, minloglevel=2, num_threads=1, **rule)
    path = tmp_path / "own.model"
    pair = SentencePieceProcessor(model_file=str(path)), Tokenizer.from_str(json.dumps(spiece.described(path, {})))
    for text in ("a  b", " a ", " ", "", "  -a", "the method", *REAL[:80]):
        same(pair, text)


def spoiled(path: Path, change: Callable[[object], object]) -> bytes:
    model = spiece._reader()()
    model.ParseFromString(path.read_bytes())
    change(model)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(("change", "says"), [
    (lambda model: setattr(model.trainer_spec, "model_type", 2), "it is not a unigram model, as that of every T5 is"),
    (lambda model: setattr(model.trainer_spec, "treat_whitespace_as_suffix", True), "spaces in another way"),
    (lambda model: setattr(model.normalizer_spec, "precompiled_charsmap", b"\xff" * 40), "normalizer is cut off"),
    (lambda model: setattr(model.normalizer_spec, "precompiled_charsmap", trie(b"z" * 101)), "up to 101 characters"),
    (lambda model: model.ClearField("pieces"), "it has no piece for unknown text"),
    (lambda model: setattr(model.pieces[5], "score", float("nan")), "cannot be used: "),
])
def test_a_spiece_model_out_of_bounds_is_refused(
    change: Callable[[object], object], says: str, tmp_path: Path, spieces: dict[str, Path], problem: Problem,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = write(tmp_path / "t5", "t5-v1_1", spieces["t5"])
    (folder / "spiece.model").write_bytes(spoiled(spieces["t5"], change))
    message = problem(folder)
    assert message.startswith(f"The spiece.model of backbone '{folder}' cannot be used: ") and says in message
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"", b"7", b"\xff" * 100, b'{"model": 1}', b"\x0a\x05\x0a\x03\xff\xfe\xfd"])
def test_a_file_that_is_no_spiece_model_is_refused(content: bytes, tmp_path: Path, spieces: dict[str, Path],
                                                   problem: Problem) -> None:
    folder = write(tmp_path / "t5", "t5-v1_1", spieces["t5"])
    (folder / "spiece.model").write_bytes(content)
    assert f"The spiece.model of backbone '{folder}' cannot be used: " in problem(folder)


@pytest.mark.parametrize("extra", [-1, 10**9, "many", [1]])
def test_a_wrong_number_of_extra_ids_is_refused(extra: object, tmp_path: Path, spieces: dict[str, Path],
                                                problem: Problem) -> None:
    folder = write(tmp_path / "t5", "t5-v1_1", spieces["t5"])
    (folder / "tokenizer_config.json").write_text(json.dumps({"extra_ids": extra}))
    assert "must give extra_ids as a whole number from 0 to 10,000" in problem(folder)


def test_a_tokenizer_json_comes_first(tmp_path: Path, spieces: dict[str, Path]) -> None:
    folder = write(tmp_path / "t5", "t5-v1_1", spieces["t5"])
    (folder / "tokenizer.json").write_text(json.dumps(spiece.described(spieces["t5"], {})))
    (folder / "spiece.model").write_bytes(b"7")
    assert load_backbone(find_backbone(str(folder)), "cpu").hidden == 24


BYTES = Tokenizer.from_str(json.dumps(byte_pieces.described()))


@given(text=st.text() | st.lists(st.sampled_from([*"ab <>", "</s>", "<extra_id_3>", "<0xC3>", "猫"])).map("".join))
def test_bytes_are_those_of_transformers(text: str) -> None:
    if any(mark in text for mark in "\x1c\x1d\x1e\x1f"):  # Python alone takes these for spaces beside a special token
        return
    theirs = ByT5Tokenizer()(text, add_special_tokens=False)["input_ids"]
    assert BYTES.encode(text, add_special_tokens=False).ids == theirs
    assert BYTES.encode(text).ids == [*theirs, 1]


def test_bytes_that_are_no_text_are_seen() -> None:
    assert BYTES.decode([3 + byte for byte in "né猫".encode()]) == "né猫"
    assert BYTES.decode([3 + 0xC3, 3 + ord("a")]) == "\ufffda"


def test_a_missing_tokenizer_is_one_sentence(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    with pytest.raises(BackboneError, match=r"has no tokenizer in .*\. Put its tokenizer\.json or its spiece\.model"):
        find_backbone(str(copy))
