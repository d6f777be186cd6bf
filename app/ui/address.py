"""What an address brings in vain, as sentences: none of it is silently left out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from compt_core.errors import nearest, quoted

_MOST_NAMED = 3  # unknown names in a sentence


def twice(name: str, values: Sequence[str]) -> str:
    """The sentence for a name with several values where there can be one."""
    return f"This link gives '{name}' {len(values):,} times: {quoted(values[-1])} is used. Leave the others out."


def left_out(names: Sequence[str], what: str, known: Collection[str]) -> str:
    """The sentence for unknown names (not empty)."""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"This link also sets {', '.join(map(quoted, names[:_MOST_NAMED]))}{more}, which is {what}: left out." \
           + nearest(names[0], known)
