"""Tables from the `datasets` library: folders written by ``save_to_disk``, and the hub. Loads no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compt_core.errors import DataError, HubError, quoted
from compt_core.tasks.columnar import arrow_columns
from compt_core.tasks.spec import OWN, Task
from compt_core.tasks.tables import Table, reason

HUB_SECONDS = 5.0  # without an answer in this time, the hub counts as unreachable
SPLITS = {"train": ("train",), "dev": ("dev", "validation")}  # our name -> the names that it may have


def read_saved(task: Task, folder: Path) -> dict[str, Table]:
    """Splits of a DatasetDict that ``save_to_disk`` wrote. Raises DataError."""
    import datasets

    try:
        return _splits(task, datasets.load_from_disk(str(folder)), f"'{folder}'")
    except DataError:
        raise
    except Exception as error:  # a broken file makes arrow, json and datasets raise anything
        raise DataError(f"The data set in '{folder}' cannot be read: {reason(error)}. Write it again with "
                        "save_to_disk.") from None


def saved_splits(folder: Path) -> dict[str, Table]:
    """Every split that ``save_to_disk`` wrote into `folder`, under its own name; a single data set is "train".

    Raises DataError.
    """
    import datasets

    try:
        loaded = datasets.load_from_disk(str(folder))
        parts = {"train": loaded} if isinstance(loaded, datasets.Dataset) else dict(loaded)
        if not parts:
            raise DataError(f"The data set in '{folder}' has no split. Write it again with save_to_disk.")
        return {name: _whole(part, list(part.column_names), f"'{folder}' ({name})") for name, part in parts.items()}
    except DataError:
        raise
    except Exception as error:  # a broken file makes arrow, json and datasets raise anything
        raise DataError(f"The data set in '{folder}' cannot be read: {reason(error)}. Write it again with "
                        "save_to_disk.") from None


def read_hub(task: Task, every: bool = False) -> dict[str, Table]:
    """Train and dev of the task's data set on the hub, or with `every` all its splits under their own names.

    Raises HubError where the hub cannot be reached, and DataError.
    """
    if task.hub is None:
        raise DataError(f"There is no data set on the hub for task '{task.name}'. Give a data folder (--data-dir).")
    path, config = task.hub[:2]
    loaded, where = load_hub(path, config), f"data set '{path}'"
    return {name: _table(task, loaded[name], f"{where} ({name})") for name in loaded} if every else \
        _splits(task, loaded, where)


def load_hub(path: str, config: str | None, instead: str = "give a data folder (--data-dir)") -> Mapping[str, Any]:
    """The splits of a data set on the hub. `instead` is what messages advise where the hub has it not.

    Raises HubError where the hub cannot be reached, and DataError.
    """
    import datasets

    name = f"'{path}'{f' ({config})' if config else ''}"
    _ask_hub(path, name, instead)
    try:
        loaded: Mapping[str, Any] = datasets.load_dataset(path, config)
        return loaded
    except ValueError as error:
        if "config" in str(error).lower():  # none of that name, or several to choose from
            raise DataError(_no_configuration(path, config, error)) from None
        raise _not_loaded(name, error, instead) from error
    except Exception as error:  # the libraries raise a dozen unrelated types, which all mean that no data came
        raise _not_loaded(name, error, instead) from error


def whole_split(part: Any, where: str) -> Table:
    """All columns of a split that hold a text, a number or a label in each cell; the names of the others."""
    import datasets

    simple = [name for name, kind in part.features.items()
              if isinstance(kind, datasets.Value | datasets.ClassLabel) and kind.dtype != "binary"]
    return _whole(part, simple, where)


def _no_configuration(path: str, config: str | None, error: Exception) -> str:
    wrong = f"has no configuration {quoted(config)}" if config else "has several configurations"
    listed = re.search(r"\['.*?'\]", str(error))
    return f"The data set '{path}' on the hub {wrong}: {quoted(listed[0], 400)[2:-2] if listed else reason(error)}. " \
           "Name one of its configurations."


def _not_loaded(name: str, error: Exception, instead: str) -> HubError:
    return HubError(f"The data set {name} could not be loaded from the hub ({type(error).__name__}). Check the "
                    f"network, or {instead}.")


def _ask_hub(path: str, name: str, instead: str) -> None:
    """Fails at once where load_dataset would try again for half a minute; with HF_HUB_OFFLINE it does nothing."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import RepositoryNotFoundError

    if constants.HF_HUB_OFFLINE:
        return
    try:
        HfApi().dataset_info(path, timeout=HUB_SECONDS)
    except RepositoryNotFoundError:
        raise DataError(f"The hub has no public data set {name}. {instead[:1].upper()}{instead[1:]}.") from None
    except Exception as error:  # as above
        raise HubError(f"The hub with the data set {name} cannot be reached. Check the network, {instead}, or start "
                       "with HF_HUB_OFFLINE=1 to use data that was loaded before.") from error


def _splits(task: Task, loaded: Any, where: str) -> dict[str, Table]:
    """The task's splits; a split called train, dev or validation wins over the hub's own name for it."""
    own = dict(zip(SPLITS, task.hub[2:] if task.hub else (), strict=False))
    tables: dict[str, Table] = {}
    for split, names in SPLITS.items():
        # What a person's own definition names holds.
        known = (own[split],) if task.suite == OWN and own else names
        name = next((n for n in (*known, own.get(split)) if n in loaded), None)
        if name is None:
            raise DataError(f"The data of task '{task.name}' in {where} has no split {' or '.join(known)}. "
                            f"It has: {', '.join(map(quoted, loaded))}.")
        tables[split] = _table(task, loaded[name], f"{where} ({name})")
    return tables


def _table(task: Task, part: Any, place: str) -> Table:
    return _whole(part, [column for column in (*task.columns, task.label_column) if column in part.column_names], place)


def _whole(part: Any, needed: list[str], place: str) -> Table:
    """The `needed` columns of a split with their cells, and the names of the others."""
    columns = arrow_columns(part.select_columns(needed).with_format("arrow")[:], place)
    called = {column: part.features[column].names for column in needed if hasattr(part.features[column], "names")}
    return Table({c: columns.get(c, ()) for c in part.column_names}, place, names=called)
