"""What may stand in the address of each page, pure: all else that a link brings is said, not silently left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.accuracy import names as accuracy
from app.attention import names as attention
from app.gates import names as gates
from app.learn import names as learn
from app.runs import names as runs
from app.space import names as space
from app.ui.address import left_out, twice
from app.whatif import names as whatif

NAMES: Mapping[str, Sequence[str]] = {  # Launch has those of the settings, and says itself what is none (links)
    "home": (),
    "learn": learn.NAMES,
    "runs": runs.NAMES,
    "accuracy": accuracy.NAMES,
    "attention": attention.NAMES,
    "gates": gates.NAMES,
    "whatif": whatif.NAMES,
    "space": space.NAMES,
}


def problems(page: str, given: Mapping[str, Sequence[str]]) -> list[str]:
    """What a link to `page` gives in vain or twice, as sentences; `given` are its values by name."""
    if page not in NAMES:
        return []
    found = [twice(name, values) for name, values in given.items() if name in NAMES[page] and len(values) > 1]
    unknown = [name for name in given if name not in NAMES[page]]
    if unknown:
        meant = next((value for name in unknown for value in given[name] if value in NAMES), "")
        hint = f" The page '{meant}' has the address /{meant if meant != 'home' else ''}." if meant else ""
        found.append(left_out(unknown, "nothing that this page knows", NAMES[page]) + hint)
    return found
