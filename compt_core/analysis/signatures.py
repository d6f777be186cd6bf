"""The names of what can go wrong or look odd in a run, with thresholds and advice. No torch.

A *problem* means that the run did not do what its settings were meant for: read its scores with that in mind, or not at
all. A *note* is worth knowing before reading the run's weights, but it is no failure and never counted as one.
docs/DIAGNOSIS.md explains the thresholds in detail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

COLLAPSED = 0.9  # share of one source in every task: all others together have at most a ninth of it
UNIFORM = 0.2  # distance of a share from 1 / S, as a part of 1 / S: .05 for four sources
UNIFORM_STEPS = 50  # with fewer steps attention has hardly had time to leave its start
MOST_DEAD = 0.5  # part of the sources at 0 in every task that is a problem: the run uses half of what was asked for
DOMINATES = 0.9  # share of the two parts' norms, mean over tasks: nine times the other part's
LEARNED = 0.05  # training loss in nats per token: each piece of the right label words has 95% of the probability
KNOWN = 0.2  # a training loss this low need not fall: the backbone could do the task already
FALLS = 0.1  # part of its first value by which a loss must fall: a tenth
LEAST_STEPS = 20  # steps before the loss of a run is judged
FELL = 0.1  # fall of the mean dev score (0-1) from its best look to the last two ...
ERRORS = 3  # ... and this many standard errors of a share of 1/2 on the rows looked at
TOO_FEW = 0.5  # with so few rows that only a larger fall would show, falls are not checked
NO_BETTER = 0.1  # mean dev score with chance = 0 (1 = perfect): less than a tenth of the way from the majority class
SWINGS = 0.25  # share of a task's attention that moves to and fro in the end part: a quarter of its mix
END = 0.2  # part of the steps called the end: there the learning rate is by default below a quarter of its peak
LEAST_POINTS = 4  # points recorded in the end part; with fewer, a swing could hide between them
CONSTANT = 0.5  # part of the tasks that get one answer for every row: more than half
UNREAD = 0.1  # share of a task's answers that are no label: its score may be that much too low just for their form
EXPLODED = 1000.0  # final root mean square of the prompts over their first one or, if larger, that of the embeddings
UNKNOWN = 5.0  # training loss before the first step, in nats per token: less than .7% for a piece of a label
INTERVAL = 1.96  # standard errors of a share above the majority that chance explains: half of a 95% interval ...
ALLOWED = 0.1  # ... but at most this much, however few the rows


@dataclass(frozen=True)
class Signature:
    """A failure with a name: what is measured, how its number is written, where it begins, and what to try.

    flagged  "from" if values at or above the threshold are flagged, "above" if those above it, "up to" if those at or
             below it
    """

    name: str
    title: str
    severity: Literal["problem", "note"]
    measure: str
    style: str
    flagged: Literal["from", "above", "up to"]
    advice: str

    def said(self, values: tuple[float, ...], threshold: float | None, beside: str = "") -> str:
        """The numbers of one or several runs, what they measure, and where flagging begins."""
        ends = dict.fromkeys(format(value, self.style) for value in (min(values), max(values)))
        begins = "" if threshold is None else f" (flagged {self.flagged} {format(threshold, self.style)})"
        return f"{self.measure} {' to '.join(ends)}{beside}{begins}"


_ALL = (
    Signature("loss_not_finite", "Loss not finite", "problem", "first at step", ".0f", "from",
              "Lower the learning rates or the clip; a rate times its weight decay must stay below 1."),
    Signature("first_loss_not_finite", "Not finite before learning", "problem", "at step", ".0f", "from",
              "No learning rate is the cause: the backbone's weights or the first prompts are too large."),
    Signature("loss_not_falling", "Loss not falling", "problem", "loss at the end over loss at the start", ".0%",
              "above",
              "Multiply the learning rates by ten if they are small, or divide them by ten if they are large."),
    Signature("prompt_exploded", "Prompts exploded", "problem", "final size, in sizes of a word's embedding or of "
              "their start", ",.0f", "from",
              "Divide the learning rates of source, private and encoder by ten, or lower the clip."),
    Signature("overfitting", "Overfitting", "problem", "fall of the mean dev score from its best look", ".2f", "from",
              "Take fewer steps or more shots, or let held-out shots choose the step (select: best)."),
    Signature("unreadable_answers", "Answers that match no label", "problem", "share of a task's dev rows", ".0%",
              "from",
              "They count as wrong: train until label words are written, or let likelihoods choose (scoring: sum)."),
    Signature("constant_answers", "One answer for every row", "problem", "tasks with a single answer", ".0%", "above",
              "Give shots of every label, more steps or other learning rates; the score is only the label's share."),
    Signature("private_dominates", "Private part dominates", "problem", "private share of the norm", ".0%", "from",
              "It is nearly PT: raise the learning rate of the sources or lower that of the private prompts."),
    Signature("shared_dominates", "Shared part dominates", "problem", "private share of the norm", ".0%", "up to",
              "Private prompts hardly matter: raise their learning rate or lower that of the sources."),
    Signature("attention_collapsed", "Attention collapsed on one source", "problem", "its least share in any task",
              ".0%", "from", "The shared part is one prompt for all tasks: lower the learning rate of the attention."),
    Signature("attention_swinging", "Attention still swinging at the end", "problem", "a weight goes to and fro by",
              ".2f", "from", "Lower the learning rate or the weight decay of the attention, or the warm-up."),
    Signature("most_sources_dead", "Most sources dead", "problem", "sources at 0 in every task", ".0%", "from",
              "Take fewer sources, softmax instead of sparsemax, or a lower learning rate of the attention."),
    Signature("label_words", "Label words learned, not the task", "problem", "share of the tasks with label words",
              ".0%", "above",
              "Ask the task as a question with everyday answers (prefix: question) or give other label words; more "
              "shots, or a larger or instruction-tuned backbone."),
    Signature("memorised", "Shots learned by heart", "note", "mean dev score (chance = 0, perfect = 1)", ".2f", "up to",
              "Give more shots, or others (another seed): the run knows its training rows, but nothing carries over."),
    Signature("rows_memorised", "Label words and training rows learned, not the task", "note",
              "share of the tasks with label words", ".0%", "above",
              "The rows are known by heart: give more shots or fewer steps, ask the task as a question (prefix: "
              "question), or take a larger or instruction-tuned backbone."),
    Signature("dead_source", "Dead source", "note", "sources at 0 in every task", ".0%", "above",
              "To keep all in use, try softmax or a lower attention learning rate; fewer sources may do as well."),
    Signature("attention_uniform", "Attention still uniform", "note", "largest distance from 1/S, over 1/S", ".0%",
              "up to", "Read nothing into the weights; to move them, raise their learning rate or lower their decay."),
)
SIGNATURES: Mapping[str, Signature] = MappingProxyType({one.name: one for one in _ALL})  # problems first


@dataclass(frozen=True)
class Finding:
    """A signature found in a run: its number, the threshold that it passed (None: any number), and details next to it
    (which source or task).

    standing  when a run that has not completed was judged
    so_far    whether the run is under way, so that the finding may be gone by its end
    """

    signature: Signature
    value: float
    threshold: float | None = None
    beside: str = ""
    standing: str = ""
    so_far: bool = False

    @property
    def said(self) -> str:
        """The number in words."""
        said = self.signature.said((self.value,), self.threshold, self.beside)
        return f"{said}; {self.standing}" if self.standing else said

    @property
    def line(self) -> str:
        """The whole finding in one plain line."""
        return f"{self.signature.severity}: {titled([self])}: {self.said}. {self.signature.advice}"


def titled(findings: Sequence[Finding]) -> str:
    """The title of one signature (at least one finding), with "so far" if runs are under way."""
    title, moving = findings[0].signature.title, sum(one.so_far for one in findings)
    return title if not moving else f"{title} so far" if moving == len(findings) else f"{title} ({moving} so far)"


@dataclass(frozen=True)
class Diagnosis:
    """What was found in a run (problems first), what could not be checked (signature's name -> why), and whether the
    run is under way."""

    findings: tuple[Finding, ...] = ()
    unchecked: Mapping[str, str] = field(default_factory=dict)
    under_way: bool = False

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that count as failures."""
        return tuple(one for one in self.findings if one.signature.severity == "problem")
