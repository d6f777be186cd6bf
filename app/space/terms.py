"""The terms that only the Prompt space page explains."""

from __future__ import annotations

TERMS = {
    "composed prompt": "The prompt that is put into a task's text: the shared part, which attention mixes from the "
                       "sources, joined with the private prompt.",
    "PCA": "Principal component analysis: a map along the two directions in which the points differ most. Differences "
           "in other directions cannot be seen. The axes say how much of all differences the map shows.",
    "t-SNE": "A map that tries to keep close points close. Its axes mean nothing, and neither does the distance "
             "between groups. Perplexity is roughly the number of neighbours that count for each point.",
    "vocabulary piece": "A word or part of a word that the backbone knows. Each piece has a vector, its embedding. A "
                        "soft prompt is made of vectors of the same kind, but they belong to no word.",
}
