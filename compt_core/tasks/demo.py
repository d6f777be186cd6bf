"""The bundled demo suites as a table of tasks; the demo language generates their rows."""

from __future__ import annotations

from typing import Final

from compt_core.errors import DataError, nearest
from compt_core.language.cases import GRADES, SKILLS
from compt_core.language.suites import BY_NAME, DemoTask, suite_rows
from compt_core.tasks.spec import Row, Task

_METRICS: Final = {  # each task of demo-glue has those of the GLUE task it mirrors; the others have accuracy
    "demo-cola": ("accuracy", "matthews"), "demo-mrpc": ("accuracy", "f1"), "demo-qqp": ("accuracy", "f1"),
    "demo-stsb": ("pearson", "spearman"),
}

# What makes an answer right, by skill; compt_core.language.relations is what these sentences say in words.
_MOOD: Final = ("Every sentence says that somebody did something kind (loved, praised, defended …) or unkind (hated, "
                "criticized, attacked …). “not” turns the attitude around, so “didn't hate” counts as kind.")
_WHY: Final = {
    "mood": _MOOD + " The answer is '{yes}' if both sentences have the same attitude, no matter who, what and where,"
            " and '{no}' if one is kind and the other unkind.",
    "meaning": "The answer is '{yes}' if both sentences say exactly the same, in other words or another order: "
               "“chef” and “cook” are the same, and so are “the chef praised the dog” and “the dog was praised by "
               "the chef”. It is '{no}' if any part differs, or is said in one of them only.",
    "follows": "The answer is '{yes}' if the second sentence must be true when the first one is. A vaguer sentence "
               "follows: “worker” from “chef”, “inside” from “in the cellar”, and anything that only leaves a "
               "detail out. All else is '{no}'; from a sentence with “not” only the same denial follows.",
    "sound": "The answer is '{yes}' if the sentence is well formed. In the others one thing about the verb is "
             "wrong: its form, a wrong or missing “was” or “did”, or a missing or extra “by”.",
    "liking": _MOOD + " The answer is '{yes}' if the attitude is kind, else '{no}'.",
    "asks": "The answer is '{yes}' if both questions ask for the same part of the same event, in other words or "
            "another order, and '{no}' if they ask for another part or about another event.",
    "similarity": "The number counts the parts that both sentences share: 1 point for the same person, 1.5 for the "
                  "same action, 1 for the thing, 0.75 for the place, 0.5 for its quality and 0.25 for the season. A"
                  " part and its category (“chef” and “worker”) count half, and so do “loved” and “didn't hate”.",
    "verdict": "The answer is 'entailment' if the second sentence must be true when the first one is (a vaguer "
               "sentence is), 'contradiction' if it cannot be (“loved” and “hated”, or the same with “not”), and "
               "'neutral' if it may be either, as when it is about somebody else.",
    "answers": "The answer is '{yes}' if the sentence names what the question asks for, or says yes to it, and "
               "implies all that the question takes for granted. A vaguer word in the question is fine: “the chef” "
               "answers for “the worker”. Else it is '{no}'.",
    "actor": "The answer is '{yes}' if both sentences name the same person, by either of its two words (“chef” and "
             "“cook”), and '{no}' if they name different ones. Everything else may differ.",
    "object": "The answer is '{yes}' if both sentences name the same thing, by either of its two words (“dog” and "
              "“hound”), and '{no}' if they name different ones. Everything else may differ.",
    **{f"{skill}{number}": f"Only the {text} sentence counts. {said}" for number, text in ((1, "first"), (2, "second"))
       for skill, said in {
           "likes": _MOOD + " The answer is '{yes}' if the attitude is kind, else '{no}'.",
           "denied": "The answer is '{yes}' if it says “not” (or “wasn't”, “didn't”), else '{no}'.",
           "worker": "The answer is '{yes}' if its person is a worker (a doctor, a cook, a teacher or a guard), and "
                     "'{no}' if it is a child, an artist or a traveler.",
           "animal": "The answer is '{yes}' if its thing is an animal (a dog, a cat, a rabbit or a pig), and '{no}' if "
                     "it is a device, a garment or a vehicle.",
           "inside": "The answer is '{yes}' if its place is indoors (a cellar, an attic, a shop …), and '{no}' if it "
                     "is outdoors."}.items()},
}

_COLUMNS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    ("statement", "statement"): ("sentence1", "sentence2"), ("question", "question"): ("question1", "question2"),
    ("question", "statement"): ("question", "sentence"),
}


def _task(task: DemoTask) -> Task:
    skill = SKILLS[task.skill]
    columns = _COLUMNS.get(skill.fields, ("sentence",))
    return Task(task.name, task.suite, task.family, columns, task.labels, _METRICS.get(task.name, ("accuracy",)),
                numeric=skill.labels == GRADES, description=_why(task),
                source="Generated by the demo language of ComPT Lab.", licence="Apache-2.0")


def _why(task: DemoTask) -> str:
    """What makes an answer of a task right, with its own label words."""
    return _WHY[task.skill].format(no=task.labels[0], yes=task.labels[1])


DEMO: tuple[Task, ...] = tuple(map(_task, BY_NAME.values()))


def demo_rows(name: str, split: str) -> tuple[Row, ...]:
    """The rows of a demo task, "train" (at least 2,000) or "dev" (300). Raises DataError for another name or split."""
    if name not in BY_NAME:
        raise DataError(f"The demo suites have no task '{name}'.{nearest(name, BY_NAME)}")
    if split not in ("train", "dev"):
        raise DataError(f"The split of a demo task must be 'train' or 'dev'. Got '{split}' instead.")
    return tuple(Row(*row) for row in suite_rows(name)[split == "dev"])
