"""The table of a "Precompiled" normalizer, as sentencepiece writes it: which characters become which.

It is a trie in a double array (https://github.com/s-yata/darts-clone), followed by the texts that its leaves point to,
each ended by a zero byte. The `tokenizers` library follows its pointers without checking where they lead.
"""

from __future__ import annotations

import numpy as np

_DEEPEST = 256  # bytes of a key


def longest_entry(blob: bytes) -> int:
    """Characters of the longest text in the table. Raises ValueError where it is broken."""
    size = int.from_bytes(blob[:4], "little")
    if len(blob) < 8 or size % 4 or not 4 <= size <= len(blob) - 4:
        raise ValueError("the table of its normalizer is cut off")
    units = np.frombuffer(blob, "<u4", size // 4, offset=4).astype(np.int64)
    texts = blob[4 + size:]
    try:
        longest = max(len(text) for text in texts.decode("utf-8").split("\0"))
    except UnicodeDecodeError:
        raise ValueError("the table of its normalizer holds texts that are not UTF-8") from None
    starts = _leaves(units)
    begun = np.frombuffer(texts + b"\0", np.uint8)
    if ((starts < 0) | (starts > len(texts))).any() or (begun[starts] >> 6 == 2).any():  # inside a character
        raise ValueError("the table of its normalizer points beyond its texts")
    return max(1, longest)


def _leaves(units: np.ndarray) -> np.ndarray:
    """What all reachable leaves hold: where their texts begin. Raises ValueError where a path leads outside."""
    offset = (units >> 10) << ((units & (1 << 9)) >> 6)
    label, leaf, value = units & (1 << 31 | 0xFF), units >> 8 & 1 == 1, units & (1 << 31) - 1
    child, parent = (label > 0) & (label < 256), np.arange(len(units)) ^ (label & 0xFF)
    nodes, found = offset[:1], [np.zeros(0, dtype=np.int64)]
    for _ in range(_DEEPEST):
        if not nodes.size:
            return np.concatenate(found)
        _inside(nodes | 0xFF, units)  # a node is asked for its child with any byte
        places = np.flatnonzero(child & np.isin(parent, nodes))
        nodes = np.unique(places ^ offset[places])
        leaves = (places ^ offset[places])[leaf[places]]
        _inside(leaves, units)
        found.append(value[leaves])
    raise ValueError("the table of its normalizer has no end")


def _inside(places: np.ndarray, units: np.ndarray) -> None:
    if places.size and places.max() >= len(units):
        raise ValueError("the table of its normalizer points beyond its end")
