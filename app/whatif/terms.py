"""The terms that only the What-if page explains."""

from __future__ import annotations

TERMS = {
    "edit": "A change made by hand to what a finished run learned: its attention, gates or prompts. The run itself "
            "stays as it is.",
    "mute": "To set the weight of a source to 0, for one task or for all.",
    "dev score": "A task's main metric on its dev rows: accuracy, or a correlation if the answers are numbers.",
    "label probability": "How probable a label is among the label words of its task: the softmax of their scores, "
                         "computed the way the run is scored. Other words that the backbone might write do not count.",
    "counterfactual": "The same text with one word changed, to see whether the answer changes too. It shows what a run "
                      "reacts to in this text, but not why.",
    "saliency": "How much each word matters for an answer: the change of the answer's probability when the word is "
                "left out. The text without the word is often not a proper sentence, so this says more about the "
                "model than about the language.",
    "nearest training rows": "The rows most similar to this text among the few that the run was trained on. Similarity "
                             "is the cosine of the frozen encoder's mean states, read with the run's prompt.",
    "ablation table": "What each source is worth to each task: how the result changes when only this source is muted. "
                      "The source's attention weight is shown next to it.",
    "log-probability": "The natural logarithm of the right label's probability among the label words, in nats. 0 means "
                       "certain, -0.69 means one half. It can change even when no answer changes.",
    "random move": "A control for muting: the prompt is moved just as far, but in a random direction. If that has the "
                   "same effect, the effect comes from the size of the move and not from the source.",
}
