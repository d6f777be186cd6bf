"""What a method declares about itself. Loads no torch.

R runs · K tasks · S sources · P, L prompt lengths · H hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

if TYPE_CHECKING:  # the settings import the methods to check their names
    from torch import Tensor

    from compt_core.methods.block import Block
    from compt_core.settings.config import RunConfig


class Vocabulary(Protocol):
    """What initial prompts may take from the backbone's table of embeddings."""

    def pieces(self, draw: np.random.Generator, count: int) -> np.ndarray:
        """Embeddings [count, H] of randomly drawn pieces."""
        ...

    def deviation(self) -> float:
        """The standard deviation of the table's numbers: the unit for sizes and steps that suit this backbone."""
        ...


Start = Callable[[np.random.Generator, Vocabulary], Any]  # the initial values of one row of a tensor


@dataclass(frozen=True)
class Parameter:
    """One tensor that a run trains.

    name     its name in files and checkpoints
    shape    without the leading axis of runs
    owners   the owner of each row of the first axis: a source's number or a task's name. Each row has its own random
             stream under this name, so that source 0 starts the same for any S.
    start    the initial values of one row, from its stream (and from the vocabulary if prompts start there)
    rate     peak learning rate
    by_table  whether `rate` is in units of the embedding table's standard deviation
    decay    AdamW's weight decay
    by_task  whether its rows belong to tasks; then a row moves only in steps with a training row of its task
    """

    name: str
    shape: tuple[int, ...]
    owners: Sequence[Any]
    start: Start
    rate: float
    decay: float
    by_task: bool
    by_table: bool = False

    @property
    def part(self) -> str:
        """What it belongs to, as the setting `freeze` calls it; MPT's matrices are the tasks' own."""
        return {"scale": "private", "gate": "gates"}.get(first := self.name.partition(".")[0], first)

    def on(self, vocabulary: Vocabulary) -> Parameter:
        """The same with its rate as a plain number, for a backbone with this vocabulary."""
        return replace(self, rate=self.rate * vocabulary.deviation(), by_table=False) if self.by_table else self


@dataclass(frozen=True)
class Structure:
    """Everything that determines the shapes and the formula of a run; runs of one structure are stacked.

    Sizes: tasks K, sources S (0 without a shared part), lengths of the shared and the private part (0 without one).
    """

    method: str
    tasks: int
    sources: int
    shared_length: int
    private_length: int
    encoder: str
    encoder_hidden: int
    form: str = "mean"
    normalizer: str | None = None  # None if no attention is learned
    attention: Literal["learned", "fixed"] | None = None
    gates: Literal["learned", "fixed"] | None = None
    frozen: tuple[str, ...] = ()  # parts that are not trained

    @property
    def length(self) -> int:
        """Vectors of the composed prompt."""
        if self.form == "concat":
            return self.shared_length + self.private_length
        return max(self.shared_length, self.private_length)


@dataclass(frozen=True)
class Method:
    """One method, as its file declares it.

    name, title  in settings and for people
    summary      what it shares, in a few words
    structure    the shapes and the formula of a run
    parameters   (settings, H) -> exactly the tensors that a run trains
    compose      the composed prompt of every run and task [R, K, L, H]
    constants    what the settings fix and training does not change, for example a uniform attention [K, S]
    entering     both parts as they enter the prompt, gates applied, each [R, K, P, H]; None for a method with one part
    independent  whether its tasks are separate runs that share nothing: the loss is then a sum over tasks, gradients
                 are clipped and the best step is chosen per task, and prompts learn faster
    composed     whether it has attention over sources and gates that people can look at and change
    repeats      whether its composed prompts are the same as one of its parts
    ignores      settings that it never reads, so that a row that sets one can be told so
    lacks        for pages that show and change the parts: a sentence on what it does not have; "" if it has everything
    """

    name: str
    title: str
    summary: str
    structure: Callable[[RunConfig], Structure]
    parameters: Callable[[RunConfig, int], tuple[Parameter, ...]]
    compose: Callable[[Block], Tensor]
    constants: Callable[[RunConfig], Mapping[str, np.ndarray]] = lambda config: {}
    entering: Callable[[Block], tuple[Tensor, Tensor]] | None = None
    independent: bool = False
    composed: bool = False
    repeats: bool = False
    ignores: frozenset[str] = frozenset()
    lacks: str = ""
