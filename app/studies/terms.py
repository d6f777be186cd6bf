"""Words that only the page Studies uses."""

TERMS = {
    "study": "A prepared experiment on one question. It says beforehand which runs it needs and what it measures.",
    "phase": "A stretch of training on one task alone, when tasks come one after another.",
    "forgetting": "How many points a task has lost at the end, against the best score that it had after its own phase.",
    "backward transfer": "How much training later tasks changed the score of a task. Below 0 it forgot, above 0 it "
                         "gained.",
    "forward transfer": "How much better a task was just before its own phase than before any training.",
    "SPoT": "A task's prompt starts from the trained prompt of another task instead of from random numbers.",
}
