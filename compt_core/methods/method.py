"""What a method says of itself. Loads no torch.

R runs · K tasks · S sources · P, L prompt lengths · H hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:  # the settings check names of methods, and stand above them
    from torch import Tensor

    from compt_core.methods.block import Block
    from compt_core.settings.config import RunConfig

Vocabulary = Callable[[np.random.Generator, int], np.ndarray]  # so many pieces of the backbone, drawn: [n, H]
Start = Callable[[np.random.Generator, Vocabulary], Any]  # the first values of one row of a tensor


@dataclass(frozen=True)
class Parameter:
    """One tensor that a run trains.

    name     what files and checkpoints call it
    shape    without the leading axis of runs
    owners   whose each row of the first axis is: a source's number or a task's name. Each row has a random stream of
             its own under this name, so that source 0 starts the same for any S.
    start    the first value of one row, from its stream (and from the vocabulary where prompts start there)
    rate     peak learning rate
    decay    AdamW's weight decay
    by_task  whether its rows belong to tasks: a row then moves in steps with a training row of its task alone
    """

    name: str
    shape: tuple[int, ...]
    owners: Sequence[Any]
    start: Start
    rate: float
    decay: float
    by_task: bool


@dataclass(frozen=True)
class Structure:
    """Everything that fixes the shapes and the formula of a run: runs of one structure are stacked.

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
    normalizer: str | None = None  # None where no attention is learned
    attention: Literal["learned", "fixed"] | None = None
    gates: Literal["learned", "fixed"] | None = None

    @property
    def length(self) -> int:
        """Vectors of the composed prompt."""
        if self.form == "concat":
            return self.shared_length + self.private_length
        return max(self.shared_length, self.private_length)


@dataclass(frozen=True)
class Method:
    """One method, as its file says it.

    name, title  in settings and for people
    summary      what it shares, in a few words
    structure    the shapes and the formula of a run
    parameters   (settings, H) -> every tensor that a run trains, and no other
    compose      the composed prompt of every run and task [R, K, L, H]
    constants    what is fixed by the settings and not trained, such as a uniform attention [K, S]
    entering     both parts as they enter the prompt, gates applied, each [R, K, P, H]; None for a method of one part
    independent  whether its tasks are runs of their own, which share nothing: the loss is then a sum over tasks,
                 gradients are clipped and the best step is chosen for each task, and prompts learn faster
    composed     whether it has attention over sources and gates, for people to look at and to change
    repeats      whether its composed prompts are one of its parts once more
    lacks        for pages that change and show the parts: which of their controls it has nothing for; "" for none
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
    lacks: str = ""
