"""What a folder of files with rows, or a data set on the hub, is as a task: where its rows are, and what was guessed.

Loads no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from compt_core.errors import DataError, quoted
from compt_core.tasks import definition
from compt_core.tasks.hub import load_hub, saved_splits, whole_split
from compt_core.tasks.infer import Guess, infer
from compt_core.tasks.parts import first_parts, held_out, parts_of, training
from compt_core.tasks.readers import FORMATS, read_parts
from compt_core.tasks.spec import Files

DEV = ("dev", "validation", "val", "validation_matched", "test")  # splits with dev rows, the likeliest first
MOST_NAMED = 8
_TWO_SPLITS = "Only a split with training rows and one with dev rows are."
_HUB = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)  # no path
_DEFINITIONS = (".yaml", ".yml")


def guess_folder(name: str, folder: Path) -> Guess:
    """What a folder with files of rows, or with a data set that save_to_disk wrote, is. Raises DataError."""
    definition.check_name(name)
    try:
        saved = any((folder / mark).is_file() for mark in ("dataset_dict.json", "state.json"))
        return _saved(name, folder) if saved else _files(name, folder)
    except (OSError, ValueError) as error:  # of the folder itself, or a NUL in its name
        raise DataError(f"The folder {quoted(str(folder))} cannot be read: "
                        f"{getattr(error, 'strerror', None) or error}. Give a folder with a train and a dev file, or "
                        "with one file.") from None


def guess_hub(name: str, data_set: str, configuration: str | None = None, train: str = "", dev: str = "") -> Guess:
    """What a data set on the hub is; `train` and `dev` are splits of it, where given. Raises DataError and HubError."""
    definition.check_name(name)
    if not _HUB.fullmatch(data_set):
        raise DataError(f"A data set on the hub is called NAME or USER/NAME. Got {quoted(data_set)} instead.")
    loaded = load_hub(data_set, configuration, "give a folder with its files")
    where, splits = f"data set '{data_set}'", list(loaded)
    if wrong := next((one for one in (train, dev) if one and one not in splits), None):
        raise DataError(f"The {where} has no split {quoted(wrong)}. It has: {', '.join(map(quoted, splits))}.")
    first = train or chosen_splits([one for one in splits if one != dev] or splits)[0]
    second = dev or chosen_splits([first, *(one for one in splits if one != first)])[1]
    if second in ("", first):
        raise DataError(f"The {where} must have two splits, one to train on and one with dev rows. It has: "
                        f"{', '.join(map(quoted, splits))}. Name both with --train and --dev, or save one as a file in "
                        "a folder: a single file is split.")
    tables = {one: whole_split(loaded[one], f"{where} ({one})") for one in (first, second)}
    data = {"hub": data_set, "configuration": configuration, "train": first, "dev": second}
    guess = infer(name, tables[first], data=data, also=tables[second])
    more = not_read([one for one in splits if one not in (first, second)], _TWO_SPLITS)
    return replace(guess, said=(*guess.said, *more))


def chosen_splits(splits: Sequence[str]) -> tuple[str, str]:
    """(split to train on, split with dev rows or "") of a data set's own."""
    first = "train" if "train" in splits else next((one for one in splits if one not in DEV), splits[0])
    return first, next((one for one in DEV if one in splits and one != first), "")


def not_read(names: Collection[str], why: str) -> tuple[str, ...]:
    """A sentence on what is there and is not read, if anything is."""
    shown = ", ".join(quoted(one, 40) for one in list(names)[:MOST_NAMED])
    return (f"Not read: {shown}{' and others' if len(names) > MOST_NAMED else ''}. {why}",) if names else ()


def _saved(name: str, folder: Path) -> Guess:
    tables = saved_splits(folder)
    first, dev = chosen_splits(list(tables))
    guess = infer(name, tables[first], also=tables.get(dev))
    files = Files(str(folder.resolve()), dev=dev, split="" if first == "train" else first)
    more = not_read([one for one in tables if one not in (first, dev)], _TWO_SPLITS)
    return replace(guess, task=replace(guess.task, files=files), said=(*guess.said, *more))


def _files(name: str, folder: Path) -> Guess:
    every = sorted(path.name for path in folder.iterdir() if path.is_file())
    there = first_parts(one for one in every if Path(one).suffix.lower()[1:] in FORMATS)
    train, dev = _only(folder, there, training, "training rows"), _only(folder, there, held_out, "dev rows")
    if not train and len(there) != 1:
        raise DataError(f"The folder '{folder}' must have a train file or a single file (.{', .'.join(FORMATS)}). Got "
                        f"{', '.join(quoted(one, 40) for one in there[:MOST_NAMED]) or _others(every)}.")
    train = train or there[0]
    table = read_parts(folder, train)
    single = not dev or dev == train
    data = {"file": train} if single else {"train": train, "dev": dev}
    also = None if single else read_parts(folder, dev, table.columns)
    try:
        guess = infer(name, table, str(folder.resolve()), data=data, also=also)
    except DataError as error:  # the rows may be in a sheet that is not read
        raise DataError(" ".join([str(error), *table.notes])) from None
    read = {part for one in (train, dev) for part in parts_of(one)}
    more = [one for one in every if one not in read and one[0] != "." and Path(one).suffix not in _DEFINITIONS]
    return replace(guess, said=(*guess.said, *not_read(more, "Only one file with training rows and one with dev rows "
                                                       "are.")))


def _only(folder: Path, names: Sequence[str], find: Callable[[Sequence[str]], list[str]], rows: str) -> str:
    """The one table with such rows, or "". Raises DataError where there are several."""
    found = find(names) if len(names) > 1 else []
    if len(found) > 1:
        raise DataError(f"The folder '{folder}' has several files that may hold the {rows}: "
                        f"{', '.join(quoted(one, 40) for one in found[:MOST_NAMED])}. Keep one of them there, or give "
                        "a definition that names it.")
    return found[0] if found else ""


def _others(names: Sequence[str]) -> str:
    """The files of a folder that has none with rows."""
    it = "it" if len(names) == 1 else "them"
    return "none" + (f" of these, but {', '.join(quoted(one, 40) for one in names[:4])}. Give {it} the ending of what "
                     f"is in {it}" if names else "")
