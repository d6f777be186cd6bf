"""The paper's second set of tasks, as a table; mrpc is in the GLUE table. For reviews, dev is the hub's test split."""

from compt_core.tasks.spec import Task

_REVIEW = ("negative", "positive")

SET2 = (
    Task("imdb", "set2", "sentiment", ("text",), _REVIEW, hub=("stanfordnlp/imdb", None, "train", "test"),
         hub_names=("neg", "pos")),
    Task("yelp_polarity", "set2", "sentiment", ("text",), _REVIEW,
         hub=("fancyzhx/yelp_polarity", None, "train", "test"), hub_names=("1", "2")),  # stars
    Task("paws", "set2", "paraphrase", ("sentence1", "sentence2"), ("not_equivalent", "equivalent"),
         ("accuracy", "f1"), ("google-research-datasets/paws", "labeled_final", "train", "validation")),
    Task("scitail", "set2", "inference", ("premise", "hypothesis"), ("entailment", "neutral"),
         hub=("allenai/scitail", "tsv_format", "train", "validation"), aliases=(("entails", "entailment"),)),
    Task("multinli", "set2", "inference", ("premise", "hypothesis"), ("entailment", "neutral", "contradiction"),
         hub=("nyu-mll/multi_nli", None, "train", "validation_matched")),
)
