"""Problems of settings as sentences: what was expected, what came, what to do. Knows pydantic, not the fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from compt_core.errors import Issue, nearest, quoted

Fields = Mapping[str, FieldInfo]


def allowed_values(field: FieldInfo) -> str:
    """What a field accepts, in words: ``"an integer in [1, 1024]"``."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "allowed" in extra:
        return str(extra["allowed"])
    words = choices(field)
    if words:
        return "one of " + ", ".join(map(repr, words))
    leaves = set(_leaves(field.annotation))
    noun = "an integer" if int in leaves else "a number" if float in leaves else "text"
    low = high = ""
    for bound in field.metadata:
        low = f"[{bound.ge}" if hasattr(bound, "ge") else f"({bound.gt}" if hasattr(bound, "gt") else low
        high = f"{bound.le}]" if hasattr(bound, "le") else f"{bound.lt})" if hasattr(bound, "lt") else high
    empty = ", or empty" if type(None) in leaves else ""
    return f"{noun}{f' in {low}, {high}' if low and high else ''}{empty}"


def choices(field: FieldInfo) -> tuple[str, ...]:
    """The words that a field accepts, () where it takes more than words."""
    return tuple(str(leaf) for leaf in _leaves(field.annotation) if isinstance(leaf, str))


def sentences(problems: Sequence[Any], values: Mapping[str, Any], fields: Fields) -> list[Issue]:
    """pydantic's `problems` with `values` as one Issue per wrong value, in order."""
    inside = {problem["loc"][0] for problem in problems if len(problem["loc"]) > 1}
    return list(dict.fromkeys(
        _sentence(problem, values, fields) for problem in problems
        # a list whose items are wrong is also reported as too short
        if not (problem["type"] == "too_short" and problem["loc"][0] in inside)
    ))


def _sentence(problem: Any, values: Mapping[str, Any], fields: Fields) -> Issue:
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden" or name not in fields:
        hint = nearest(name, fields) or " 'python -m compt_core run --set help' lists them all."
        return Issue(name, f"There is no setting {quoted(name)}.{hint}")
    got, field = values.get(name), fields[name]
    if len(problem["loc"]) == 2 and isinstance(problem["loc"][1], int):  # one item of a list
        got = problem["input"]
    shown = "nothing" if got is None or got in ([], ()) else quoted(got)
    hint = nearest(got, choices(field)) if isinstance(got, str) else ""
    return Issue(name, f"The '{name}' setting of an experiment must be {allowed_values(field)}. "
                       f"Got {shown} instead.{hint}")


def _leaves(annotation: Any) -> Iterator[Any]:
    """The plain types and literal words of an annotation, tuples and unions opened."""
    parts = get_args(annotation)
    if not parts:
        yield annotation
    elif get_origin(annotation) is Literal:
        yield from parts
    elif get_origin(annotation) is not dict:
        for part in parts:
            yield from _leaves(part)
