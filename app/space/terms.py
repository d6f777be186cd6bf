"""The terms that the page Prompt space alone explains."""

from __future__ import annotations

TERMS = {
    "composed prompt": "What is put into a task's text: the shared part, which attention mixes from the sources, "
                       "joined with the private prompt.",
    "PCA": "Principal component analysis: a map along the two directions in which the points differ most. Differences "
           "in other directions cannot be seen. The axes say how much of all differences the map shows.",
    "t-SNE": "A map that tries to keep close points close. Its axes mean nothing, and neither does the distance "
             "between groups. Perplexity says about how many neighbours of each point count.",
    "vocabulary piece": "A word or part of a word that the backbone knows. Each has a vector of its own, its "
                        "embedding. A soft prompt is made of vectors of the same kind, but they belong to no word.",
}
