"""The terms that several pages explain, in plain words. A page's own are in its folder: ``app/PAGE/terms.py``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TERMS: dict[str, str] = {
    "soft prompt": "A few vectors that are put into the text, in front of it unless a setting says otherwise. Training "
                   "changes only these vectors; the language model stays frozen.",
    "backbone": "The T5 language model that reads prompt and text. It is frozen: none of its weights ever changes.",
    "PT": "Prompt tuning: each task trains its own prompt and shares nothing with the others.",
    "MST": "The opposite of PT: all tasks share one prompt, which is trained on all of them together.",
    "MPT": "One shared prompt for all tasks; each task scales it by a small matrix of its own.",
    "ComPT": "Composed prompt tuning: a task's prompt is built from two parts. One is a mix of source prompts that all "
             "tasks share; attention sets the mix. The other is a private prompt that belongs to this task.",
    "SPP": "The form of ComPT that adds. The setting 'form' says how the shared part and the private prompt are "
           "joined: as their mean, weighted by the gates; as a sum in which alpha scales the private prompt; or as a "
           "plain sum.",
    "SCP": "The form of ComPT that concatenates: first the shared part, then the private part.",
    "source prompt": "One of S prompts that all tasks share. Their numbers have no meaning: s0 of one run is not s0 of "
                     "another.",
    "private prompt": "A prompt that belongs to one task alone.",
    "attention": "How much of each source goes into a task's prompt. Each task has one weight per source, the same for "
                 "every input. The weights start equal and are learned, unless the settings fix them.",
    "entropy": "How widely a task's weights are spread. It is 1 when all sources weigh the same, and 0 when one source "
               "has all the weight.",
    "rank correlation": "Whether two lists of numbers have the same order, however large the steps between them "
                        "(Spearman's correlation). 1 means the same order, -1 the reverse, 0 no relation.",
    "Mantel's test": "Whether a correlation over pairs of tasks could be chance. The tasks are shuffled, in every "
                     "possible way or in very many, and the correlation is computed each time. p is the share of "
                     "shuffles in which it is at least as large.",
    "normaliser": "The rule that turns attention's raw numbers into weights. Softmax makes all weights positive, with "
                  "the sum 1. Sparsemax and entmax keep the sum 1, but can make some weights exactly 0. Sigmoid gives "
                  "each source a weight between 0 and 1 of its own, whatever the others have.",
    "gates": "Two numbers per task: alpha for the private prompt, beta for the shared part. What they do depends on "
             "how the parts are joined. In SPP's mean only their ratio counts; in its gated sum only alpha acts; in "
             "its plain sum neither does. In SCP each gate scales its own part.",
    "private share": "How much of the gates goes to the private prompt: alpha / (alpha + beta). A prompt of large "
                     "numbers can make up for a small gate, so its share of the composed prompt's norm is given as "
                     "well.",
    "prompt length and direction": "A prompt is many numbers, seen here as one long arrow. Its length is the Euclidean "
                                   "norm. The cosine compares the directions of two arrows: 1 for the same direction, "
                                   "0 for a right angle, -1 for opposite ones.",
    "shots": "The number of training rows per task, spread evenly over its labels. A setting can count them per label "
             "instead.",
    "seed": "A number that fixes what is drawn at random in a run: which rows it trains on, how the prompts start, and "
            "the order of the rows. Several seeds show how much the results vary.",
    "dev rows": "Rows with known labels that no run trains on. Every score is measured on them.",
    "majority": "The score for always giving the most frequent label of the dev rows. Nothing is trained for it.",
    "no prompt": "The score of the frozen backbone with the task prefix alone. Nothing is trained for it.",
    "95% t-interval": "How far the mean over seeds can be trusted, as a range around it: the mean plus or minus "
                      "Student's t times the standard error. If the runs were repeated many times with new seeds, "
                      "about 95% of such ranges would hold the true mean. This takes seeds as a random sample and "
                      "needs at least two.",
    "fleet": "A group of runs that train at the same time and share every pass through the backbone. This is faster "
             "than one run after another.",
    "optimizer step": "One update of the prompts, from one batch of rows of all tasks.",
}


def explain(*terms: str, own: Mapping[str, str] = MappingProxyType({})) -> str:
    """The terms with their meaning, a page's `own` or shared ones, as a Markdown list. Raises KeyError for an unknown
    one."""
    return "\n".join(f"- **{term}** — {own[term] if term in own else TERMS[term]}" for term in terms)
