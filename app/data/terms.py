"""The terms that only the page Data explains."""

from __future__ import annotations

TERMS = {
    "task": "A table of rows, each with one or more texts and one label. The model reads the texts and answers with "
            "the word of a label, or with a number.",
    "label word": "The word that the model should answer with. The label in your file may be anything, such as 0 or "
                  "ENTY; the word should say what it means. Words that the backbone knows well are easier to learn.",
    "piece": "What the backbone reads instead of letters: a whole word, or part of one. A rare word is cut into "
             "several pieces. A word that it has no pieces for cannot be told from any other such word.",
    "task prefix": "The word in front of the texts, with a colon. It tells the model which task it is looking at.",
    "family": "Tasks of the same kind, such as all about sentiment. Families put tasks in order, and the page "
              "Attention compares what was learned with them.",
    "leave out": "Rows with a label without a word are not used, neither for training nor for scoring.",
}
