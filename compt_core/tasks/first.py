"""The first tokens of texts, without tokenizing what comes far after them.

A text is cut at white space, some tokens after the last one that is needed. Normalisers and tokenizers of the
T5 family look at a word and its neighbours, so what follows the cut changes nothing before it. A stretch without white
space is one word, and a Unigram model takes the best way through it. That way passes one of ENDINGS neighbouring
places, since no piece of a T5 is longer. So if the beginnings up to all these places agree, the whole text begins with
the same ids. Only if they differ ("aaaa…", which has many best ways) is the text taken to end after GIANT times what
was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Encode = Callable[[list[str]], list[list[int]]]  # texts -> the ids of each, without special tokens

CHARACTERS = 8  # that a token is first taken to have
MARGIN = 16  # tokens between the last one that is wanted and the cut
ENDINGS = 16  # characters of the longest piece
GIANT = 16


def first_ids(encode: Encode, texts: Sequence[str], most: int) -> list[list[int]]:
    """The first `most` ids of each text, as if all of it were tokenized; a text of fewer has all of them."""
    found: list[list[int]] = [[] for _ in texts]
    left, size = list(range(len(texts))), CHARACTERS * (most + MARGIN)
    while left:
        parts = [_beginning(texts[i], size) for i in left]
        again = []
        for i, part, ids in zip(left, parts, encode(parts) if parts else [], strict=True):
            if len(part) == len(texts[i]) or (len(ids) >= most + MARGIN and _parts(texts[i][len(part)])):
                found[i] = ids[:most]
            elif len(ids) >= most + MARGIN:
                found[i] = _inside_a_word(encode, texts[i], part, most)
            else:
                again.append(i)
        left, size = again, 4 * size
    return found


def _beginning(text: str, size: int) -> str:
    """At most `size` characters: to the last white space in their second half, or all of them where there is none."""
    if len(text) <= size:
        return text
    for end in range(size, size // 2, -1):
        if _parts(text[end]) and not _parts(text[end - 1]):
            return text[:end]
    return text[:size]


def _parts(mark: str) -> bool:
    """Whether a character parts words; separators of files are white space to Python alone."""
    return mark.isspace() and not "\x1c" <= mark <= "\x1f"


def _inside_a_word(encode: Encode, text: str, part: str, most: int) -> list[int]:
    """The first ids of a text that could be cut at no white space: to the end of `part`, if its neighbours agree."""
    ways = {tuple(ids[:most]) for ids in encode([part[: len(part) - back] for back in range(ENDINGS)])}
    if len(ways) == 1:
        return list(ways.pop())
    return encode([text[: GIANT * len(part)]])[0][:most]
