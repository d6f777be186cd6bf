"""Which published T5s were trained on the tasks that they are to be compared on, as far as their names tell.

A folder, and a model that somebody trained further, can have seen anything. Loads no torch.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Seen = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Family:
    """Checkpoints that were trained alike.

    name   what people call them
    ids    pattern of their hub ids
    seen   suites whose tasks were part of their training
    how    how they were trained, to be put behind the name
    """

    name: str
    ids: str
    seen: tuple[str, ...]
    how: str


_SIZES = r"(small|base|large|3b|11b|xl|xxl)"
# Sources: Raffel et al. (arXiv 1910.10683, section 3.5.3: multi-task pre-training on GLUE), Chung et al. (2210.11416),
# Lester et al. (2104.08691, LM adaptation), Xue et al. (2010.11934, 2105.13626), Chung et al. (2304.09151, UMT5),
# Tay et al. (2109.10686, T5 Efficient); the model cards say the same.
FAMILIES = (
    Family("original T5", rf"(google-t5/)?t5-{_SIZES}", ("glue", "set2"), "was trained on GLUE as well"),
    Family("FLAN-T5", rf"google/flan-t5-{_SIZES}|english", ("glue", "set2", "english"),
           "was instruction-tuned on these tasks"),
    Family("LM-adapted T5", rf"google/t5-(v1_1-)?{_SIZES}-lm-adapt", (), "was trained on plain text only"),
    Family("T5 v1.1", rf"google/t5-v1_1-{_SIZES}", (), "was trained on plain text only"),
    Family("mT5", rf"google/mt5-{_SIZES}", (), "was trained on plain text only"),
    Family("UMT5", rf"google/umt5-{_SIZES}", (), "was trained on plain text only"),
    Family("ByT5", rf"google/byt5-{_SIZES}", (), "was trained on plain text only"),
    Family("T5 Efficient", r"google/t5-efficient-[a-z0-9-]+", (), "was trained on plain text only"),
)

# suite -> which published checkpoints have seen its tasks before, where the backbone's own name tells nothing
_IN_GENERAL = {
    "glue": "Original T5 checkpoints were trained on GLUE, and FLAN-T5 was instruction-tuned on these tasks. Either "
            "of them knows the tasks, so scores say less about what a prompt can teach. T5 v1.1, the LM-adapted "
            "checkpoints, mT5, UMT5, ByT5 and T5 Efficient have not seen them.",
    "set2": "FLAN-T5 was instruction-tuned on most tasks of SET2, and original T5 checkpoints were trained on mrpc and "
            "multinli. They know these tasks, so scores say less about what a prompt can teach. T5 v1.1, the "
            "LM-adapted checkpoints, mT5, UMT5, ByT5 and T5 Efficient have not seen them.",
    "english": "FLAN-T5 was instruction-tuned on ag_news and rotten_tomatoes. It knows these tasks, so scores say less "
               "about what a prompt can teach. T5, T5 v1.1, the LM-adapted checkpoints, mT5, UMT5, ByT5 and T5 "
               "Efficient have not seen them.",
}
_PARTS = {("set2", "original T5"): "was trained on mrpc and multinli",
          ("set2", "FLAN-T5"): "was instruction-tuned on most of these tasks",
          ("english", "FLAN-T5"): "was instruction-tuned on ag_news and rotten_tomatoes"}
_SEVERAL = {"FLAN-T5": "was instruction-tuned on most of these tasks"}  # of more than one suite
_CALLED = {"glue": "GLUE", "set2": "SET2"}


def family(ref: str) -> Family | None:
    """The family of a published checkpoint by its reference ID or ID@REVISION; None where the name does not tell."""
    name = ref.partition("@")[0].lower()
    return next((one for one in FAMILIES if re.fullmatch(one.ids, name)), None)


def seen_glue(ref: str) -> tuple[Seen, str]:
    """Whether a backbone was trained on GLUE, and the reason in words."""
    if ref == "demo":
        return "no", "It was trained on a made-up language."
    known = family(ref)
    if known is None:
        return "unknown", "The name does not tell what it was trained on."
    return ("yes" if "glue" in known.seen else "no"), f"It is of the family {known.name}, which {known.how}."


def seen_before(suites: Collection[str], ref: str) -> list[str]:
    """What to bear in mind about results of the backbone `ref` on `suites`, a sentence for each that published
    checkpoints were trained on."""
    known, named = family(ref), [suite for suite in _IN_GENERAL if suite in suites]
    if known is None:
        return [_IN_GENERAL[suite] for suite in named]
    said, seen = list[str](), [suite for suite in named if suite in known.seen]
    if seen:
        how = _PARTS.get((seen[0], known.name), known.how) if len(seen) == 1 else _SEVERAL.get(known.name, known.how)
        said.append(f"The backbone is of the family {known.name}, which {how}. It knows the tasks, so scores say less "
                    "about what a prompt can teach.")
    return said + [f"The backbone is of the family {known.name}, which {known.how} and has not seen {_CALLED[suite]}."
                   for suite in named if suite not in seen and suite in _CALLED]
