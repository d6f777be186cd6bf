"""GLUE-8 as a table. Label words are in the order of the hub's indices (rte, qnli: 0 = entailment)."""

from compt_core.tasks.spec import SIMILARITY_STEP, Task

_PAIR = ("sentence1", "sentence2")
_SCORES = tuple(f"{i * SIMILARITY_STEP:.1f}" for i in range(26))


def _hub(config: str, dev: str = "validation") -> tuple[str, str, str, str]:
    return ("nyu-mll/glue", config, "train", dev)


GLUE = (
    Task("cola", "glue", "acceptability", ("sentence",), ("unacceptable", "acceptable"),
         ("accuracy", "matthews"), _hub("cola"), native="cola"),
    Task("sst2", "glue", "sentiment", ("sentence",), ("negative", "positive"),
         ("accuracy",), _hub("sst2"), native="sst2"),
    Task("mrpc", "glue", "paraphrase", _PAIR, ("not_equivalent", "equivalent"),
         ("accuracy", "f1"), _hub("mrpc"), native="mrpc"),
    Task("qqp", "glue", "paraphrase", ("question1", "question2"), ("not_duplicate", "duplicate"),
         ("accuracy", "f1"), _hub("qqp"), native="qqp"),
    Task("stsb", "glue", "similarity", _PAIR, _SCORES,
         ("pearson", "spearman"), _hub("stsb"), native="stsb", numeric=True),
    Task("mnli", "glue", "inference", ("premise", "hypothesis"), ("entailment", "neutral", "contradiction"),
         ("accuracy",), _hub("mnli", "validation_matched"), native="mnli"),
    Task("qnli", "glue", "inference", ("question", "sentence"), ("entailment", "not_entailment"),
         ("accuracy",), _hub("qnli"), native="qnli"),
    Task("rte", "glue", "inference", _PAIR, ("entailment", "not_entailment"),
         ("accuracy",), _hub("rte"), native="rte"),
)
