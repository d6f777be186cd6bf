"""Cells of the store, checked before they are read: a disk, another program or a person may have changed any of them.

Each text is checked once, since the same settings and results are read again and again. Loads no torch.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Row

from compt_core.errors import ConfigError, plural, quoted
from compt_core.runs import shapes
from compt_core.settings import sentences
from compt_core.settings.variants import NAMING, of_raw
from compt_core.tasks import catalogue

_SPELLED = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATES = re.compile("[\ud800-\udfff]")  # bytes that are not text are read as these
_KEPT = 4096  # texts whose check is remembered


class Wrong(Exception):
    """Why a row is damaged."""


def checked(row: Row[Any], shape: type[BaseModel]) -> dict[str, Any]:
    """The cells of a row that are not JSON, by column, if they are valid. Raises Wrong."""
    cells = dict(zip(row._fields, row, strict=True))
    for name in shape.model_fields:
        if isinstance(cells[name], str) and not cells[name].isascii() and _SURROGATES.search(cells[name]):
            raise Wrong(f"its '{name}' is not text ({quoted(cells[name], 40)})")
    try:
        shape.model_validate(cells)
    except ValidationError as error:
        raise Wrong(_first(error)) from None
    return cells


@lru_cache(maxsize=_KEPT)
def _canonical(text: object, model: type[BaseModel]) -> dict[str, Any]:
    found = _loaded(text, "config")
    if not isinstance(found, dict):
        raise Wrong(f"its 'config' must hold settings by name, and is {quoted(found, 40)}")
    naming = NAMING if "variants" in model.model_fields else ()  # rows of a comparison in the form of older versions
    known = {name: value for name, value in found.items() if name in model.model_fields}
    more = {name: value for name, value in found.items() if name not in (*known, *naming)}  # from other versions
    try:
        if any(name in found for name in naming):
            known["variants"] = of_raw(found, {})
        return {**more, **model.model_validate({"tasks": [], **known}).model_dump(mode="json")}
    except ConfigError as error:
        raise Wrong(f"of its settings, {error.issues[0].message.removesuffix('.')}") from None
    except ValidationError as error:
        first = sentences.sentences(error.errors(), known, model.model_fields)[0]
        raise Wrong(f"of its settings, {first.message.removesuffix('.')}") from None


def settings(text: object, model: type[BaseModel]) -> dict[str, Any]:
    """The settings in a cell, with defaults for settings that its version did not know. Raises Wrong."""
    return dict(_canonical(text, model))


@lru_cache(maxsize=_KEPT)
def definitions(text: object) -> catalogue.Catalogue:
    """The definitions of tasks in a cell (none if it is empty); the same object for the same text. Raises Wrong."""
    found = _loaded(text, "task_definitions")
    try:
        return catalogue.read({} if found is None else found)
    except ValidationError as error:
        raise Wrong(_first(error, "task_definitions")) from None


def read_json(text: object, column: str, shape: type[BaseModel], *, inside: str = "",
          of: tuple[tuple[str, ...], int] | None = None) -> Any:
    """The JSON of a cell, None for an empty one, checked by :func:`_judged`. Raises Wrong."""
    if why := _judged(text, column, shape, inside, of):
        raise Wrong(why)
    return None if text is None else json.loads(str(text))


@lru_cache(maxsize=_KEPT)
def _judged(text: object, column: str, shape: type[BaseModel], inside: str, of: tuple[tuple[str, ...], int] | None
            ) -> str | None:
    """Why the JSON of a cell does not fit `shape`, there under the name `inside`, or a run with these tasks and this
    number of sources."""
    try:
        found = _loaded(text, column)
        if found is None and not inside:
            return None
        whole = shape.model_validate({inside: found} if inside else found)
    except Wrong as wrong:
        return str(wrong)
    except ValidationError as error:
        return _first(error, column)
    return _misfit(whole, *of) if of and isinstance(whole, shapes.Result) else None


def _misfit(result: shapes.Result, tasks: tuple[str, ...], sources: int) -> str | None:
    """Why a result does not belong to a run on these tasks."""
    missing = [name for name in ("tasks", "mean_normalised", "mean") if getattr(result, name) is None]
    if missing and {"tasks", "mean_normalised"} != {*missing} - {"mean"}:
        return f"its 'result' lacks '{missing[0]}'"
    for name, per_task in (("tasks", result.tasks), ("constant", result.constant), ("eval_rows", result.eval_rows)):
        if per_task is not None and per_task.keys() != set(tasks):
            return f"its 'result' has other tasks in '{name}' than its settings have"
    for name in ("attention", "alpha", "beta", "private_share", "private_norm_share"):
        values = getattr(result, name)
        if values is not None and len(values) != len(tasks):
            return f"its 'result' has {len(values)} entries in '{name}', its settings have {plural(len(tasks), 'task')}"
    if any(len(row) != sources for row in result.attention or ()):
        return f"its 'result' has a row in 'attention' without {plural(sources, 'source')}, which its settings ask for"
    return None


def _loaded(text: object, column: str) -> Any:
    """The JSON of a cell, None for an empty one. Raises Wrong."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise Wrong(f"its '{column}' must be text in JSON, and is {quoted(text, 40)}")
    try:
        found = json.loads(text)
        if _SURROGATES.search(text) or _SPELLED.search(text):
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Wrong(f"its '{column}' is not valid JSON ({quoted(text, 40)})") from error
    return found


def _first(error: ValidationError, column: str = "") -> str:
    """The first of several problems, as the reason why a row cannot be read."""
    problem = error.errors(include_url=False)[0]
    path = " → ".join(f"'{quoted(str(part))[1:-1]}'" for part in ((column,) if column else ()) + problem["loc"])
    said = "should hold values by name" if problem["type"] in ("model_type", "dict_type") else \
        re.sub("^(Value error,|Input|String|Value|List|Dictionary) ", "", problem["msg"])
    return f"its {path} {said} (got {quoted(problem['input'], 40)})"
