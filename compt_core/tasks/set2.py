"""The paper's second set of tasks, as a table; mrpc is in the GLUE table. For reviews, dev is the hub's test split."""

from compt_core.tasks.glue import ENTAILS, ENTAILS_OR_NOT, MOVIE, SAME
from compt_core.tasks.spec import Question, Task

REVIEW = ("negative", "positive")

SET2 = (
    Task("imdb", "set2", "sentiment", ("text",), REVIEW, hub=("stanfordnlp/imdb", None, "train", "test"),
         question=MOVIE, hub_names=("neg", "pos"),
         description="Whether a film review on IMDb is good ('positive', 7 to 10 stars) or bad ('negative', 1 to 4 "
                     "stars)."),
    Task("yelp_polarity", "set2", "sentiment", ("text",), REVIEW,
         hub=("fancyzhx/yelp_polarity", None, "train", "test"),
         question=Question("Is this review positive or negative?", ("review",)), hub_names=("1", "2"),  # stars
         description="Whether a review on Yelp is good ('positive', 4 or 5 stars) or bad ('negative', 1 or 2 stars)."),
    Task("paws", "set2", "paraphrase", ("sentence1", "sentence2"), ("not_equivalent", "equivalent"),
         ("accuracy", "f1"), ("google-research-datasets/paws", "labeled_final", "train", "validation"), question=SAME,
         description="Two sentences with almost the same words are 'equivalent' if they mean the same; swapping two "
                     "names, say, makes them 'not_equivalent'."),
    Task("scitail", "set2", "inference", ("premise", "hypothesis"), ("entailment", "neutral"),
         hub=("allenai/scitail", "tsv_format", "train", "validation"), question=ENTAILS,
         aliases=(("entails", "entailment"),),
         description="Whether a sentence from the web ('premise') supports a statement from a school science exam "
                     "('hypothesis'): 'entailment' if it does, else 'neutral'."),
    Task("multinli", "set2", "inference", ("premise", "hypothesis"), ("entailment", "neutral", "contradiction"),
         hub=("nyu-mll/multi_nli", None, "train", "validation_matched"), question=ENTAILS_OR_NOT,
         description="Taking the premise as true, the hypothesis is certainly true ('entailment'), certainly false "
                     "('contradiction'), or may be either ('neutral')."),
)
