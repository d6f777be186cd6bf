"""The tokenizer of ByT5, which reads bytes and has no file, told in the words of a tokenizer.json. Loads no torch.

Ids as in transformers' ByT5Tokenizer (Xue et al., arXiv 2105.13626): 0 <pad>, 1 </s>, 2 <unk>, then 3 + byte, then 125
extra ids. A byte of ASCII is called by its character, any other one as <0xC3>.
"""

from __future__ import annotations

from typing import Any

CLASS = "ByT5Tokenizer"  # what such a checkpoint names as its tokenizer_class
SPECIAL = ("<pad>", "</s>", "<unk>")
EXTRA_IDS = 125


def described() -> dict[str, Any]:
    """What a tokenizer.json would say: each character that has no piece, so each beyond ASCII, falls back to bytes."""
    pieces = [*SPECIAL, *(chr(byte) if byte < 128 else f"<0x{byte:02X}>" for byte in range(256)),
              *(f"<extra_id_{number}>" for number in range(EXTRA_IDS))]
    special = [number for number, piece in enumerate(pieces) if piece in SPECIAL or piece.startswith("<extra_id_")]
    # As there, spaces around the first three belong to them.
    added = [{"id": number, "content": pieces[number], "single_word": False, "lstrip": number < len(SPECIAL),
              "rstrip": number < len(SPECIAL), "normalized": False, "special": True} for number in special]
    mark = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": None,
            "post_processor": {"type": "TemplateProcessing", "single": [first, mark],
                               "pair": [first, mark, second, mark],
                               "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
            "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": True, "ignore_merges": False,
                      "vocab": {piece: number for number, piece in enumerate(pieces)}, "merges": []}}
