"""Problems with settings as sentences: what is allowed, what came, what to do. Knows pydantic, not the fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from compt_core.errors import Issue, nearest, quoted
from compt_core.settings.values import Refused, in_digits

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
    """The words that a field accepts; () if it accepts more than words."""
    return tuple(str(leaf) for leaf in _leaves(field.annotation) if isinstance(leaf, str))


def sentences(problems: Sequence[Any], values: Mapping[str, Any], fields: Fields) -> list[Issue]:
    """The `problems` of `values` as one Issue per wrong field, in order. It shows the first wrong value and counts the
    rest: a slip such as shots=0-99999 causes a problem for each number, and nobody could read them all.
    """
    of_field: dict[Any, list[Any]] = {}
    for problem in problems:
        of_field.setdefault(problem["loc"][0], []).append(problem)
    return [_first(found, values, fields) for found in of_field.values()]


def _first(problems: Sequence[Any], values: Mapping[str, Any], fields: Fields) -> Issue:
    """The problems of one field as one Issue."""
    items = [problem for problem in problems if _is_item(problem)]
    # wrong items go first: a list of them is also reported as too short
    return _sentence((items or problems)[0], values, fields, more=max(len(items) - 1, 0))


def _is_item(problem: Any) -> bool:
    """Whether one item of a list is wrong, rather than the whole list."""
    return len(problem["loc"]) == 2 and isinstance(problem["loc"][1], int)


def _sentence(problem: Any, values: Mapping[str, Any], fields: Fields, more: int = 0) -> Issue:
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden" or name not in fields:
        hint = nearest(name, fields) or " 'python -m compt_core run --set help' lists them all."
        return Issue(name, f"There is no setting {quoted(name)}.{hint}")
    got, field = values.get(name), fields[name]
    if _is_item(problem):
        got = problem["input"]
    shown = "nothing" if got is None or got in ([], ()) else quoted(got)
    return Issue(name, f"The '{name}' setting of an experiment must be {allowed_values(field)}. "
                       f"Got {shown} instead{f', and {more:,} more like it' if more else ''}.{_hint(got, field)}")


def _hint(got: Any, field: FieldInfo) -> str:
    """What to do about a wrong value, where that is known."""
    if isinstance(got, Refused):
        return f" It must {got.must}."
    numbers = {int, float} & set(_leaves(field.annotation))
    if isinstance(got, str):
        return (in_digits(got) if numbers else "") or nearest(got, choices(field))
    return in_digits(got) if int in numbers else ""


def _leaves(annotation: Any) -> Iterator[Any]:
    """The plain types and literal words of an annotation, with tuples and unions taken apart."""
    parts = get_args(annotation)
    if not parts:
        yield annotation
    elif get_origin(annotation) is Literal:
        yield from parts
    elif get_origin(annotation) is not dict:
        for part in parts:
            yield from _leaves(part)
