"""What is wrong or doubtful about the rows of a task, a plain sentence each. Pure; loads no torch.

What the rows themselves say needs no backbone. What a backbone makes of them is measured with its tokenizer: of all
label words, and of the first LOOKED_AT rows of each split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from compt_core.backbone.files import BackboneFiles, encoder, unknown_words
from compt_core.errors import ConfigError, plural, quoted
from compt_core.planning.data import OVERLAP, overlap_note
from compt_core.tasks.batches import frame, room_for_text
from compt_core.tasks.first import Encode, first_ids
from compt_core.tasks.spec import Row, Task, TaskData

LOOKED_AT = 1000  # rows of a split whose tokens are counted
LONGEST_WORD = 100  # characters of a word that are looked up
UNEVEN = 5.0  # times as many rows as the rarest label has, from which on the labels are uneven
FEW_DEV = 50  # rows; one of them is two points of accuracy
EMPTY = 0.9  # share of a column's cells from which on it is nearly always empty
MOST_NAMED = 5  # labels or words that a sentence names


def doubts(data: TaskData, files: BackboneFiles | None = None, shots: int | None = None, prefix: str = "neutral",
           max_tokens: int = 128) -> list[str]:
    """What a person should know or change before training on `data`, read by the backbone of `files`."""
    return [*data.notes, *_of_columns(data), *_of_rows(data), *_of_labels(data, shots),
            *(_of_words(data.task, files, prefix) if files else ()),
            *(_of_texts(data, files, prefix, max_tokens) if files else ())]


def _of_columns(data: TaskData) -> Iterator[str]:
    for place, column in enumerate(data.task.columns):
        empty = sum(not row.texts[place].strip() for row in data.train)
        if empty >= EMPTY * len(data.train):
            yield (f"The column {quoted(column, 40)} of task '{data.task.name}' is empty in "
                   f"{_share(empty, data.train)} of the training rows. Leave it out of the texts, or fill it.")


def _of_rows(data: TaskData) -> Iterator[str]:
    name = data.task.name
    if left := {split: count for split, count in data.skipped.items() if count}:
        one = sum(left.values()) == 1
        yield (f"{' and '.join(plural(count, f'{split} row') for split, count in left.items())} of task '{name}' "
               f"{'has' if one else 'have'} no label, or one that is left out, and {'is' if one else 'are'} not used.")
    if data.overlap and not any(OVERLAP in note for note in data.notes):
        yield overlap_note(data, data, data.overlap)
    for split, rows in (("training", data.train), ("dev", data.dev)):
        yield from _repeats(name, split, rows)
    if len(data.dev) < FEW_DEV:
        rough = "a correlation over so few is rough" if data.task.numeric else \
            f"one row is {100 / len(data.dev):.1f} points of accuracy"
        yield f"Task '{name}' has {plural(len(data.dev), 'dev row')}, so {rough}. Compare runs over several seeds."


def _repeats(name: str, split: str, rows: Sequence[Row]) -> Iterator[str]:
    first: dict[tuple[tuple[str, ...], float], int] = {}
    again = [(number, first[key]) for number, row in enumerate(rows)
             if first.setdefault(key := (row.texts, row.value), number) != number and any(map(str.strip, row.texts))]
    if again:
        number, before = again[0]
        yield (f"{plural(len(again), f'{split} row')} of task '{name}' repeat{'s' if len(again) == 1 else ''} an "
               f"earlier one, text and label: the first is number {number + 1:,}, the same as number {before + 1:,} "
               f"({quoted(next(filter(str.strip, rows[number].texts)), 40)}).")


def _of_labels(data: TaskData, shots: int | None) -> Iterator[str]:
    task, name = data.task, data.task.name
    if task.numeric:
        return
    train, dev = (Counter(row.label for row in rows) for rows in (data.train, data.dev))
    for split, counts, so in (("training", train, "it cannot be learned"), ("dev", dev, "it is never scored")):
        if lacks := [label for number, label in enumerate(task.labels) if not counts[number]]:
            what = "the label" if len(lacks) == 1 else f"the {plural(len(lacks), 'label')}"
            yield (f"No {split} row of task '{name}' has {what} {_named(lacks)}, so "
                   f"{so if len(lacks) == 1 else so.replace('it is', 'they are').replace('it ', 'they ')}.")
    if shots and (few := {task.labels[number]: count for number, count in sorted(train.items()) if count < shots}):
        said = _named([f"{quoted(label, 40)} ({count:,})" for label, count in few.items()], quote=False)
        yield (f"Fewer training rows of task '{name}' than {plural(shots, 'shot')} have the "
               f"label{'s' * (len(few) > 1)} {said}, so samples of different seeds share these rows, and {shots:,} for "
               "each label cannot be drawn.")
    (most, many), (least, rows) = train.most_common(1)[0], min(train.items(), key=lambda item: (item[1], item[0]))
    if many > UNEVEN * rows:
        yield (f"The training rows of task '{name}' are uneven: {plural(many, 'row')} of "
               f"{quoted(task.labels[most], 40)}, {rows:,} of {quoted(task.labels[least], 40)}. "
               "Look at macro_f1, which counts all labels alike.")


def _of_words(task: Task, files: BackboneFiles, prefix: str) -> Iterator[str]:
    """About the label words. They are scored by the log-probabilities of their pieces and </s>: their sum, which falls
    with every piece, or their mean, which rises with pieces that nearly follow from those before."""
    words, (encode, _) = task.words(prefix), encoder(files)
    if lost := unknown_words(files, words):
        yield (f"The backbone '{files.ref}' cannot write the label word{'s' * (len(lost) > 1)} {_named(lost)} of task "
               f"'{task.name}'. Choose other words, or another T5 as the backbone.")
    if task.numeric:
        return
    pieces = {word: tuple(ids) for word, ids in zip(words, encode(list(words)), strict=True) if word not in lost}
    begins: dict[int, list[str]] = {}
    for word, ids in pieces.items():
        begins.setdefault(ids[0], []).append(word)
    if same := [own for own in begins.values() if len(own) > 1]:
        more = f", and so do {plural(len(same) - 1, 'further group')}" if len(same) > 1 else ""
        yield (f"The label words {_named(same[0])} of task '{task.name}' begin with the same piece of backbone "
               f"'{files.ref}'{more}, so only what follows tells them apart. Words that differ from the start are "
               "easier to learn.")
    counts = {word: len(ids) for word, ids in pieces.items()}
    if len(set(counts.values())) > 1:
        short, long = min(counts, key=lambda word: counts[word]), max(counts, key=lambda word: counts[word])
        yield (f"The label words of task '{task.name}' take different numbers of pieces of backbone '{files.ref}': "
               f"{quoted(short, 40)} {counts[short]}, {quoted(long, 40)} {counts[long]}. Scoring by 'sum' of "
               "log-probabilities favours the short ones, by 'mean' the long ones.")


def _of_texts(data: TaskData, files: BackboneFiles, prefix: str, max_tokens: int) -> Iterator[str]:
    task, (encode, unknown) = data.task, encoder(files)
    try:
        room = room_for_text(task, encode(frame(task, prefix)), max_tokens)
    except ConfigError as error:
        yield str(error)
        return
    for split, rows in (("training", data.train[:LOOKED_AT]), ("dev", data.dev[:LOOKED_AT])):
        columns = [first_ids(encode, [row.texts[place] for row in rows], room + 1)
                   for place in range(len(task.columns))]
        cut = sum(sum(map(len, row)) > room for row in zip(*columns, strict=True))
        if cut:
            yield (f"{_share(cut, rows)} of the {split} rows of task '{task.name}' are longer than {max_tokens} tokens "
                   "(max_tokens) and lose the end of their longest text.")
    if any("has no pieces for" in note for note in data.notes):  # said by the check of all rows already
        return
    for split, given, counted in (("training", data.train, data.unknown.get("train")),
                                  ("dev", data.dev, data.unknown.get("dev"))):
        share, example = counted or _unread(given[:LOOKED_AT], encode, unknown)
        if share:
            yield (f"The tokenizer of backbone '{files.ref}' has no pieces for {_percent(share)} of the words in the "
                   f"{split} rows of task '{task.name}' (such as "
                   f"{quoted(example, 30)}), which all look alike to it.")


def _unread(rows: Sequence[Row], encode: Encode, unknown: int | None) -> tuple[float, str]:
    """(share of the words that the tokenizer has no pieces for, the first of them)."""
    words = Counter(word[:LONGEST_WORD] for row in rows for text in row.texts for word in text.split())
    lost = [word for word, ids in zip(words, encode(list(words)), strict=True) if unknown in ids]
    return (sum(words[word] for word in lost) / words.total(), lost[0]) if lost else (0.0, "")


def _named(words: Sequence[str], quote: bool = True) -> str:
    shown = [quoted(word, 40) if quote else word for word in words[:MOST_NAMED]]
    if len(words) > MOST_NAMED:
        return f"{', '.join(shown)} and {plural(len(words) - MOST_NAMED, 'other')}"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _share(count: int, of: Sequence[Row]) -> str:
    return _percent(count / len(of))


def _percent(share: float) -> str:
    if share == 1:
        return "all"
    return "nearly all" if share > 0.995 else "less than 1%" if share < 0.005 else f"{share:.0%}"
