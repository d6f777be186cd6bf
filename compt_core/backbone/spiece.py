"""The spiece.model of a checkpoint, as sentencepiece writes it, told in the words of a tokenizer.json. Loads no torch.

Most published T5s have only this file. transformers has a converter of its own. It leaves out mT5's pieces for single
bytes, so that a rare character would become <unk>, and it needs sentencepiece. What is made here gives the ids that
sentencepiece gives, and goes through the same checks as a tokenizer.json.

Some things stay different. The names of special tokens, such as "</s>", are read as these tokens, as in every
tokenizer.json; so is the name of a byte, such as "<0x41>", where the model has pieces for bytes. Where two ways to cut
a word have the same score, the other one may be taken. Some marks that stand behind a ligature, or in an order that
Unicode does not use, are joined with the letter before them.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path
from typing import Any

# From sentencepiece_model.proto (https://github.com/google/sentencepiece): the fields that are read here, by number.
_FIELDS: dict[str, dict[int, tuple[str, str, Any]]] = {
    "Piece": {1: ("piece", "STRING", None), 2: ("score", "FLOAT", None), 3: ("type", "INT32", 1)},
    "Trainer": {3: ("model_type", "INT32", 1), 24: ("treat_whitespace_as_suffix", "BOOL", None),
                35: ("byte_fallback", "BOOL", None)},
    "Normalizer": {2: ("precompiled_charsmap", "BYTES", None), 3: ("add_dummy_prefix", "BOOL", "true"),
                   4: ("remove_extra_whitespaces", "BOOL", "true"), 5: ("escape_whitespaces", "BOOL", "true")},
    "Model": {1: ("pieces", "*Piece", None), 2: ("trainer_spec", "Trainer", None),
              3: ("normalizer_spec", "Normalizer", None)},
}
_UNIGRAM = 1
_UNKNOWN, _CONTROL, _USER = 2, 3, 4  # kinds of pieces
EXTRA_IDS = 100  # what T5's tokenizer appends where nothing else is said: <extra_id_99> … <extra_id_0>
MOST_EXTRA_IDS = 10_000
_BREAK = "\x01"  # T5's own table of characters deletes it


@lru_cache(maxsize=1)
def _reader() -> Any:
    """The class of the messages that hold a model. Their description is not shared with anybody else's."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="spiece.proto", package="spiece", syntax="proto2")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, default) in fields.items():
            made = message.field.add(
                name=field, number=number, label=kinds.LABEL_REPEATED if kind[0] == "*" else kinds.LABEL_OPTIONAL)
            if f"TYPE_{kind}" in kinds.Type.keys():  # noqa: SIM118 - no dict
                made.type = kinds.Type.Value(f"TYPE_{kind}")
            else:
                made.type, made.type_name = kinds.TYPE_MESSAGE, f".spiece.{kind.lstrip('*')}"
            if default is not None:
                made.default_value = str(default)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("spiece.Model"))


def described(path: Path, beside: dict[str, Any]) -> dict[str, Any]:
    """What a tokenizer.json would say; `beside` is the tokenizer_config.json, which may name a number of `extra_ids`.

    Raises ValueError where the file cannot be read or is of a kind that no T5 has, and OSError.
    """
    from google.protobuf.message import DecodeError

    model = _reader()()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError:
        raise ValueError("it is not a model of sentencepiece") from None
    pieces, trained, read = model.pieces, model.trainer_spec, model.normalizer_spec
    unknown = [number for number, one in enumerate(pieces) if one.type == _UNKNOWN]
    if not unknown:
        raise ValueError("it is not a model of sentencepiece, for it has no piece for unknown text")
    if trained.model_type != _UNIGRAM:
        raise ValueError("it is not a unigram model, as that of every T5 is")
    if trained.treat_whitespace_as_suffix or not read.escape_whitespaces:
        raise ValueError("it writes spaces in another way than T5's")
    names = {one.piece for one in pieces}
    extra = _extra_ids(beside, names)
    scores = _scores(pieces) + [(name, 0.0) for name in extra]
    special = [number for number, one in enumerate(pieces) if one.type in (_UNKNOWN, _CONTROL)]
    special += range(len(pieces), len(scores))
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always" if read.add_dummy_prefix else "never",
             "split": True}
    kept = {} if read.remove_extra_whitespaces else {"prepend_scheme": "never", "split": False}
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [_special(number, scores[number][0]) for number in special],
            "normalizer": {"type": "Sequence", "normalizers": _normalizers(read)},
            "pre_tokenizer": space | kept,
            "post_processor": _ending(scores),
            "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, space]},
            "model": {"type": "Unigram", "unk_id": unknown[0], "vocab": [list(one) for one in scores],
                      "byte_fallback": bool(trained.byte_fallback)}}


def _scores(pieces: Any) -> list[tuple[str, float]]:
    """Pieces and their scores. A piece that its author defined always wins, by the rule of sentencepiece's unigram."""
    best = max((one.score for one in pieces if one.type == 1), default=0.0)
    return [(one.piece, len(one.piece) * best - 0.1 if one.type == _USER else one.score) for one in pieces]


def _extra_ids(beside: dict[str, Any], names: set[str]) -> list[str]:
    """The names of the pieces that are appended. mT5's file has them already, under names that begin with a space."""
    asked = beside.get("extra_ids")
    if asked is None:
        asked = 0 if names & {"<extra_id_0>", "▁<extra_id_0>"} else EXTRA_IDS
    if not isinstance(asked, int) or not 0 <= asked <= MOST_EXTRA_IDS:
        raise ValueError(f"the tokenizer_config.json must give extra_ids as a whole number from 0 to "
                         f"{MOST_EXTRA_IDS:,}, and gives {str(asked)[:80]!r}")
    return [name for number in reversed(range(asked)) if (name := f"<extra_id_{number}>") not in names]


def _normalizers(read: Any) -> list[dict[str, Any]]:
    """sentencepiece looks a text up in its table from the left, the longest entry first. The step "Precompiled" does so
    for one visible character at a time and may drop its marks. So characters are parted before it, and what belongs
    together is joined after it."""
    steps: list[dict[str, Any]] = []
    if read.precompiled_charsmap:
        table = base64.b64encode(read.precompiled_charsmap).decode()
        steps += [{"type": "Replace", "pattern": {"Regex": r"(?=[^\x00-\x7F])"}, "content": _BREAK},
                  {"type": "Precompiled", "precompiled_charsmap": table},
                  {"type": "Replace", "pattern": {"String": _BREAK}, "content": ""},
                  {"type": "NFC"}]
    if read.remove_extra_whitespaces:
        steps += [{"type": "Replace", "pattern": {"Regex": pattern}, "content": content}
                  for pattern, content in ((" {2,}", " "), ("^ | $", ""))]
    elif read.add_dummy_prefix:  # also where a text begins with a space
        steps.append({"type": "Prepend", "prepend": "▁"})
    return steps


def _special(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "content": name, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True}


def _ending(scores: list[tuple[str, float]]) -> dict[str, Any] | None:
    """The step that writes </s> behind a text, where there is such a piece."""
    end = next((number for number, (name, _) in enumerate(scores) if name == "</s>"), None)
    if end is None:
        return None
    mark = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {"type": "TemplateProcessing", "single": [first, mark], "pair": [first, mark, second, mark],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [end], "tokens": ["</s>"]}}}
