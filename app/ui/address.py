"""Sentences about what a page cannot use in an address: nothing is silently left out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from compt_core.errors import nearest, quoted

_MOST_NAMED = 3  # unknown names in a sentence


def twice(name: str, values: Sequence[str]) -> str:
    """The sentence for a name with several values where there can be one."""
    return f"This link gives '{name}' {len(values):,} times. The last one, {quoted(values[-1])}, is used. Remove the " \
           "others."


def left_out(names: Sequence[str], what: str, known: Collection[str]) -> str:
    """The sentences for unknown names (not empty); `what` says why they are unknown."""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"This link also sets {', '.join(map(quoted, names[:_MOST_NAMED]))}{more}. {what}, so this part of the " \
           "link is left out." + nearest(names[0], known)
