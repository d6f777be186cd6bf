"""The terms of the dashboard in plain words; shown as help texts and in the glossary popover."""

from __future__ import annotations

TERMS: dict[str, str] = {
    "soft prompt": "A few trained vectors put into the text, by default in front of it. Only they learn; the language "
                   "model stays frozen.",
    "backbone": "The frozen T5 model that reads prompt and text. None of its weights ever changes.",
    "PT": "Prompt tuning: each task trains a prompt of its own and shares nothing.",
    "MST": "The opposite of PT: one prompt for all tasks, trained on all of them together.",
    "ComPT": "Composed prompt tuning: a task's prompt is put together from source prompts that all tasks share, "
             "mixed by attention, and a private prompt of its own.",
    "SPP": "ComPT's sum: the shared part plus the private prompt, joined as the setting form says: their mean by the "
           "gates, a sum with alpha before the private prompt, or a plain sum.",
    "SCP": "ComPT's concatenation: the shared part in front, the private part behind it.",
    "source prompt": "One of S prompts that all tasks share. Sources have no meaning or order of their own: "
                     "s0 of one run is not s0 of another.",
    "private prompt": "A prompt that belongs to one task alone.",
    "composed prompt": "What is put into a task's text: the shared part, which attention mixes from the sources, and "
                       "the private prompt, joined.",
    "PCA": "Principal components: the two directions along which points differ most become the axes of a map. What "
           "differs in other directions is not seen; how much is seen stands beside the axes.",
    "t-SNE": "A map that tries to keep near points near. How far apart groups lie, and the axes, mean nothing; its "
             "perplexity says about how many neighbours count.",
    "vocabulary piece": "A word or part of a word that the backbone knows, with a vector of its own (its embedding). "
                        "Soft prompts are such vectors that belong to no piece.",
    "attention": "How much of each source goes into a task's prompt: one weight per task and source, the same for "
                 "every input. It is learned, from uniform on, or fixed in the settings.",
    "entropy": "How spread out a task's weights are: 1 when all sources weigh the same, 0 when one has it all.",
    "known relatedness": "Which tasks are of one family. Known for the bundled suites, which were made so; for other "
                         "tasks a family is a name given by people.",
    "rank correlation": "Spearman's: whether two lists of numbers have the same order, whatever the steps between. "
                        "1: the same order, -1: the reverse, 0: unrelated.",
    "Mantel's test": "Whether a correlation over pairs of tasks is beyond chance: it is compared with those that come "
                     "out when the tasks change places. p is the share of these that are at least as large.",
    "cosine": "How alike two tasks' weights are, whatever their size: 1 for the same mix of sources, 0 for none in "
              "common. Their distance is 1 - cosine.",
    "normaliser": "Turns attention's raw numbers into weights: softmax (all positive, sum 1), sparsemax and entmax "
                  "(some exactly 0, sum 1), sigmoid (each 0-1 by itself).",
    "logit": "Attention's raw number of one task and one source, before the normaliser. It starts at 0 and training "
             "moves it.",
    "gates": "Two numbers per task, alpha for the private prompt and beta for the shared part. Which of them acts "
             "hangs on how the parts are joined: in SPP's mean only their ratio, in its gated sum alpha alone, in its "
             "plain sum neither; in SCP each scales its own part.",
    "private share": "alpha / (alpha + beta). The share of the composed prompt's norm stands beside it, because a "
                     "prompt's own length can make up for its gate.",
    "prompt length and direction": "A prompt is many numbers, taken here as one long arrow: its length is its "
                                   "Euclidean norm. The cosine of two arrows is 1 for one direction, 0 at a "
                                   "right angle, -1 for opposite ones.",
    "shots": "Training rows per task (balanced over labels), unless they are counted per label.",
    "seed": "Number that fixes the sample of shots, the initialisation and the order. Several seeds show the spread.",
    "dev rows": "Rows with known labels that no run trains on; every score is measured on them.",
    "label words": "The words among which the backbone chooses a task's answer, by how probable it finds each.",
    "label probability": "A label's share among a task's label words: the softmax of their scores, by the run's own "
                         "way of scoring. Other words that the backbone might write play no part in it.",
    "counterfactual": "The same text with a word changed, to see whether the answer follows. It shows what a run "
                      "reacts to in this text, not why.",
    "saliency": "How much each word matters for an answer: here the change of its probability when the word is left "
                "out. What is left is often no sentence any more, so it tells of the model more than of the language.",
    "nearest training rows": "Of the few rows that a run was trained on, those that the frozen encoder takes for the "
                             "most alike: the cosine of its mean states, under the run's prompt.",
    "majority": "What always answering the most frequent label of the dev rows scores. No training.",
    "no prompt": "What the frozen backbone scores with the task prefix alone. No training.",
    "mean, chance = 0": "Mean over tasks after rescaling, so that majority scores 0 and a perfect run 100. "
                         "Correlations stay as they are.",
    "Matthews": "Matthews correlation, -100 to 100: 0 for a constant answer, however frequent the label is.",
    "95% t-interval": "Mean plus or minus Student's t times the standard error over seeds. "
                      "It takes seeds as a random sample and needs at least two.",
    "paired t-test": "Whether a method's difference to another one, seed by seed, is told from 0. Holm's correction "
                     "over the tasks keeps the chance of even one false alarm at 5%.",
    "diagnosis": "What a run's own numbers say went wrong or looks odd, each beside the number and the threshold. A "
                 "problem: the run is not what its settings were meant for. A note: true, and no failure.",
    "dead source": "A source with weight 0 in every task. No gradient reaches it from there. It comes back only where "
                   "the logits of the others shrink, by weight decay say.",
    "overfitting": "The training rows are known by heart (loss near 0) while the score on dev rows falls.",
    "norm of a part": "How large the shared or the private part is as it enters the prompt: the square root of the sum "
                      "of its squared numbers. The larger one decides most of the prompt.",
    "confusion matrix": "How often each label was answered (columns) where each label was right (rows).",
    "edit": "A change made by hand to what a finished run learned: its attention, gates or prompts. The run itself "
            "stays as it is.",
    "mute": "To give a source the weight 0, for one task or for all.",
    "ablation table": "What each source is worth to each task: the change when that source alone is muted, beside its "
                      "attention weight.",
    "log-probability": "How probable the right label is among the label words, on the scale of the natural logarithm "
                       "(nats): 0 is certainty, -0.69 one half. It also moves where no answer changes.",
    "random move": "A control: the prompt moved as far as muting a source moves it, in a direction drawn at random. "
                   "What it does, any change of that size may do.",
    "dev score": "A task's primary metric on its dev rows: accuracy, or a correlation where answers are numbers.",
    "fleet": "Runs that are trained side by side in one pass through the backbone.",
    "optimizer step": "One update of the prompts from one batch of rows of all tasks.",
}


def explain(*terms: str) -> str:
    """The terms with their meaning as a Markdown list. Raises KeyError for an unknown term."""
    return "\n".join(f"- **{term}** — {TERMS[term]}" for term in terms)
