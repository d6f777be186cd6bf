"""Which names each page reads from its address. Anything else in a link is reported, not silently ignored. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.accuracy import names as accuracy
from app.attention import names as attention
from app.data import names as data
from app.gates import names as gates
from app.learn import names as learn
from app.runs import names as runs
from app.space import names as space
from app.studies import names as studies
from app.ui.address import left_out, twice
from app.whatif import names as whatif

NAMES: Mapping[str, Sequence[str]] = {  # Launch reads the settings' names and reports others itself (links)
    "home": (),
    "learn": learn.NAMES,
    "data": data.NAMES,
    "runs": runs.NAMES,
    "accuracy": accuracy.NAMES,
    "attention": attention.NAMES,
    "gates": gates.NAMES,
    "studies": studies.NAMES,
    "whatif": whatif.NAMES,
    "space": space.NAMES,
}


def problems(page: str, given: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence about each name that `page` does not read or that a link gives twice; `given`: its values by name."""
    if page not in NAMES:
        return []
    found = [twice(name, values) for name, values in given.items() if name in NAMES[page] and len(values) > 1]
    unknown = [name for name in given if name not in NAMES[page]]
    if unknown:
        meant = next((value for name in unknown for value in given[name] if value in NAMES), "")
        hint = f" The page '{meant}' has the address /{meant if meant != 'home' else ''}." if meant else ""
        found.append(left_out(unknown, "This page reads nothing of that name", NAMES[page]) + hint)
    return found
