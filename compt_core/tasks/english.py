"""Tasks of the `english` suite that are not in GLUE, as a table. CR and AG News have a test split for dev."""

from compt_core.tasks.glue import MOVIE
from compt_core.tasks.set2 import REVIEW
from compt_core.tasks.spec import Question, Task

_TOPICS = ("World", "Sports", "Business", "Sci/Tech")

ENGLISH = (
    Task("rotten_tomatoes", "english", "sentiment", ("text",), REVIEW,
         hub=("cornell-movie-review-data/rotten_tomatoes", None, "train", "validation"), question=MOVIE,
         hub_names=("neg", "pos"),
         description="Whether a sentence from a film review on Rotten Tomatoes speaks well ('positive') or ill "
                     "('negative') of the film."),
    Task("cr", "english", "sentiment", ("text",), REVIEW, hub=("SetFit/CR", None, "train", "test"),
         question=Question("Is this product review positive or negative?", ("review",)),
         description="Whether a sentence from a customer's review of a product speaks well ('positive') or ill "
                     "('negative') of it."),
    Task("ag_news", "english", "topic", ("text",), _TOPICS, hub=("fancyzhx/ag_news", None, "train", "test"),
         question=Question("Is this news about world, sports, business or technology?", ("article",),
                           ("world", "sports", "business", "technology")),
         description="Which of four sections of a newspaper an article belongs to, judged by its headline and first "
                     "sentences."),
)
