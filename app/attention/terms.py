"""The terms that the page Attention alone explains."""

from __future__ import annotations

TERMS = {
    "cosine": "How alike the weights of two tasks are, whatever their size. 1 means the same mix of sources, 0 means "
              "no source in common. The distance of two tasks is 1 - cosine.",
    "known relatedness": "Which tasks belong to the same family. For the bundled suites this is certain, because they "
                         "were made that way. For other tasks the family is a name that people gave.",
}
