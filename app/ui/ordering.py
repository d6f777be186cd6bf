"""Controls above weights and gates, on several pages: one run or the mean of its seeds, and the order of tasks."""

from __future__ import annotations

from collections.abc import Sequence

from app.show import captions, weights
from app.show.weights import Weights
from app.ui import controls
from app.ui.names import OF, ORDER
from compt_core.runs.record import RunRecord

RUN, MEAN = "run", "mean"
BY_FAMILY, CLUSTERED = "family", "clustered"
NONE = "none"  # of a list from which nothing has been chosen


def whose_control(mates: Sequence[RunRecord], help_text: str) -> bool:
    """Whether the mean over seeds is to be shown, which there is of two runs or more."""
    several = len(mates) > 1
    return controls.choice(OF, "Show", [RUN, MEAN] if several else [RUN], help_text, shown=several,
                         names={RUN: "this run", MEAN: f"mean over its {captions.plural(len(mates), 'seed')}"}) == MEAN


def order_control() -> str:
    """BY_FAMILY or CLUSTERED; one choice for all pages."""
    return controls.choice(ORDER, "Order of tasks", [BY_FAMILY, CLUSTERED],
                         "Clustered puts tasks with similar attention next to each other.",
                         names={BY_FAMILY: "by family", CLUSTERED: "clustered"})


def ordered(drawn: Weights, order: str) -> list[str]:
    """The tasks of `drawn` in that order."""
    return weights.grouped(drawn) if order == BY_FAMILY else weights.clustered(drawn)
