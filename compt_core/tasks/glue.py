"""GLUE-8 as a table. Label words are in the order of the hub's indices (rte, qnli: 0 = entailment).

The questions are worded as in the instructions that FLAN-T5 was trained on (Chung et al., arXiv 2210.11416).
"""

from compt_core.tasks.spec import SIMILARITY_STEP, Question, Task

_PAIR = ("sentence1", "sentence2")
_SCORES = tuple(f"{i * SIMILARITY_STEP:.1f}" for i in range(26))
_SENTENCES = ("sentence 1", "sentence 2")
MOVIE = Question("Is this movie review positive or negative?", ("review",))
SAME = Question("Do these sentences mean the same thing?", _SENTENCES, ("no", "yes"))
ENTAILS = Question("Does the premise entail the hypothesis?", ("premise", "hypothesis"), ("yes", "no"))
ENTAILS_OR_NOT = Question(ENTAILS.text, ENTAILS.fields, ("yes", "it is not possible to tell", "no"))


def _hub(config: str, dev: str = "validation") -> tuple[str, str, str, str]:
    return ("nyu-mll/glue", config, "train", dev)


GLUE = (
    Task("cola", "glue", "acceptability", ("sentence",), ("unacceptable", "acceptable"),
         ("accuracy", "matthews"), _hub("cola"), native="cola",
         question=Question("Is this sentence grammatically correct?", ("sentence",), ("no", "yes")),
         description="A sentence is 'acceptable' if linguists judged it to be correct English, and 'unacceptable' if "
                     "not. The sentences come from books about grammar."),
    Task("sst2", "glue", "sentiment", ("sentence",), ("negative", "positive"),
         ("accuracy",), _hub("sst2"), native="sst2", question=MOVIE,
         description="Whether a phrase or sentence from a film review speaks well ('positive') or ill ('negative') of "
                     "the film."),
    Task("mrpc", "glue", "paraphrase", _PAIR, ("not_equivalent", "equivalent"),
         ("accuracy", "f1"), _hub("mrpc"), native="mrpc", question=SAME,
         description="Two sentences from news articles are 'equivalent' if people judged that they mean the same, even "
                     "where small details differ."),
    Task("qqp", "glue", "paraphrase", ("question1", "question2"), ("not_duplicate", "duplicate"),
         ("accuracy", "f1"), _hub("qqp"), native="qqp",
         question=Question("Do these questions ask the same thing?", ("question 1", "question 2"), ("no", "yes")),
         description="Two questions from Quora are a 'duplicate' if one answer would do for both."),
    Task("stsb", "glue", "similarity", _PAIR, _SCORES,
         ("pearson", "spearman"), _hub("stsb"), native="stsb", numeric=True,
         question=Question("How similar are these sentences, from 0 to 5?", _SENTENCES),
         description="How alike two sentences are in meaning, from 0 (nothing in common) to 5 (the same). The number "
                     "is the mean judgement of several people."),
    Task("mnli", "glue", "inference", ("premise", "hypothesis"), ("entailment", "neutral", "contradiction"),
         ("accuracy",), _hub("mnli", "validation_matched"), native="mnli", question=ENTAILS_OR_NOT,
         description="Taking the premise as true, the hypothesis is certainly true ('entailment'), certainly false "
                     "('contradiction'), or may be either ('neutral')."),
    Task("qnli", "glue", "inference", ("question", "sentence"), ("entailment", "not_entailment"),
         ("accuracy",), _hub("qnli"), native="qnli",
         question=Question("Does the sentence answer the question?", ("question", "sentence"), ("yes", "no")),
         description="Whether the sentence, from Wikipedia, holds the answer to the question ('entailment') or not."),
    Task("rte", "glue", "inference", _PAIR, ("entailment", "not_entailment"),
         ("accuracy",), _hub("rte"), native="rte", question=ENTAILS,
         description="Whether somebody who reads the first sentence would conclude that the second one is most likely "
                     "true ('entailment')."),
)
