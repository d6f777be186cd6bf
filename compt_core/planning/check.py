"""What can be known about an experiment before it is queued: tasks, data, backbone, steps and sizes. No torch."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from compt_core.backbone.files import BackboneFiles, check_contents, encoder, unknown_words
from compt_core.backbone.load import NAMED, find_backbone
from compt_core.errors import BackboneError, ComptError, ConfigError, DataError, HubError, Issue, quoted
from compt_core.methods.table import METHODS, structure, trainable_parameters
from compt_core.planning.data import MOST_UNKNOWN, as_read
from compt_core.planning.doubts import doubts
from compt_core.planning.estimate import Work, fleet_work, in_turn, run_work
from compt_core.planning.fleets import fleets
from compt_core.settings.config import Experiment, RunConfig
from compt_core.settings.together import problems_of_steps
from compt_core.tasks import selections
from compt_core.tasks.batches import frame, room_for_text
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.fewshot import lacking, rows_per_label, sample_shots, shots_of, total_steps
from compt_core.tasks.files import load_task
from compt_core.tasks.first import first_ids
from compt_core.tasks.spec import OWN, Row, Task, TaskData
from compt_core.tasks.table import CATALOGUE

ROWS_MEASURED = 100  # rows of each task and split that are measured; the others are taken to be as long
MOST_SAMPLES = 50  # samples per number of shots whose labels are counted


@dataclass(frozen=True)
class LaunchCheck:
    """An experiment that can be launched.

    experiment  the settings, with paths made absolute: the process that trains may run in another folder
    runs        the grid, in order
    steps       optimizer steps of each run
    parameters  trainable parameters of each run
    work        what all of them have to do, one fleet after another
    per_label   fewest and most training rows of a label in any sample; None where all tasks are numeric
    notes       what to know before launching, a sentence each: about the data and the samples drawn from it
    """

    experiment: Experiment
    backbone: BackboneFiles
    data: tuple[TaskData, ...]
    runs: tuple[RunConfig, ...]
    steps: tuple[int, ...]
    parameters: tuple[int, ...]
    work: Work
    per_label: tuple[int, int] | None
    notes: tuple[str, ...]

    @property
    def tasks(self) -> Catalogue:
        """The task definitions by which all this was checked; the experiment is to be submitted with them."""
        return Catalogue({one.task.name: one.task for one in self.data})

    @property
    def most_trained(self) -> int:
        """How many numbers its largest fleet trains at once."""
        return max(map(sum, fleets(self.parameters)))

    @property
    def largest_fleet(self) -> tuple[RunConfig, ...]:
        """The runs of the fleet that trains the most numbers at once."""
        sizes = list(map(sum, fleets(self.parameters)))
        return tuple(fleets(self.runs)[sizes.index(max(sizes))])


def check(experiment: Experiment, catalogue: Catalogue = CATALOGUE) -> LaunchCheck:
    """Check everything that needs files: task names, data, shots against rows, the backbone. Tasks are those of
    `catalogue`.

    Raises ConfigError that names every problem found, each with its field.
    """
    experiment = _absolute(experiment)
    problems: list[Issue] = []
    try:
        catalogue.named(experiment.tasks)
    except ConfigError as error:
        problems += error.issues
    tasks = list(catalogue.only(experiment.tasks).values())
    runs = experiment.runs()
    data: Sequence[TaskData] = _load(tasks, experiment.data_dir, problems)
    files, of_backbone = None, list[Issue]()
    try:
        files = find_backbone(experiment.backbone)
        check_contents(files)
        of_backbone += _problems_of_words(files, tasks, runs)
        data = as_read(data, files)
        of_backbone += _problems_of_texts(files, data)
    except BackboneError as error:
        of_backbone.append(Issue("backbone", str(error)))
    except DataError as error:
        problems.append(Issue("data_dir", str(error)))
    problems += [*_problems_of_shots(runs, data), *of_backbone]
    if problems or files is None:
        raise ConfigError(dict.fromkeys(problems))
    parameters, steps = tuple(trainable_parameters(run, files.hidden) for run in runs), _steps(runs, data)
    if few := [issue for run, count in zip(runs, steps, strict=True) for issue in problems_of_steps(run, count)]:
        raise ConfigError(dict.fromkeys(few))
    work = _work(files, data, runs, steps, parameters)
    per_label, lacks = _labels(runs, data)
    notes = (*_idle(experiment), *itertools.chain(*(_notes(one, files, runs) for one in data)), *lacks)
    return LaunchCheck(experiment, files, tuple(data), tuple(runs), steps, parameters, work, per_label, notes)


def _notes(data: TaskData, files: BackboneFiles, runs: Sequence[RunConfig]) -> list[str]:
    """What the data say about themselves; of a person's own task, whose rows nobody has looked at, all doubts."""
    if data.task.suite != OWN:
        return list(data.notes)
    ways = {(run.prefix, run.max_tokens): max(run.shots for run in runs) for run in runs}
    return list(dict.fromkeys(said for (prefix, most), shots in ways.items()
                              for said in doubts(data, files, shots, prefix, most)))


def _idle(experiment: Experiment) -> list[str]:
    """A sentence for each row with settings of its own that its method never reads."""
    found = []
    for name, own in experiment.variants.items():
        method = METHODS[own["method"]]
        if idle := [key for key in own if key in method.ignores]:
            said = " and ".join(map(quoted, idle))
            found.append(f"The row {quoted(name)} sets {said}, which {method.title} does not use, so this changes "
                         "nothing.")
    return found


def _absolute(experiment: Experiment) -> Experiment:
    paths = {}
    if experiment.data_dir is not None and experiment.data_dir not in selections.NAMES:
        paths["data_dir"] = os.path.abspath(os.path.expanduser(experiment.data_dir))
    folder = os.path.expanduser(experiment.backbone)
    if experiment.backbone not in NAMED and os.path.isdir(folder):
        paths["backbone"] = os.path.abspath(folder)
    return experiment.model_copy(update=paths)


def _load(tasks: Sequence[Task], data_dir: str | None, problems: list[Issue]) -> list[TaskData]:
    """The data of every task whose data can be read; the problems of the others go to `problems`."""
    if data_dir is not None and not os.path.isdir(selections.place(data_dir)):
        problems.append(Issue("data_dir", selections.missing(data_dir) if data_dir in selections.NAMES else
                              f"The data folder {quoted(data_dir, 200)} does not exist. Give a folder with TASK/train "
                              "and TASK/dev files."))
        tasks = [task for task in tasks if task.bundled]
    data = []
    for task in tasks:
        try:
            data.append(load_task(task, data_dir))
        except HubError as error:  # it would not answer for the other tasks either
            problems.append(Issue("data_dir", str(error)))
            break
        except ComptError as error:
            problems.append(Issue("data_dir", str(error)))
    return data


def _problems_of_shots(runs: Sequence[RunConfig], data: Sequence[TaskData]) -> list[Issue]:
    """Tasks with fewer rows than shots; the size of a sample does not depend on the seed."""
    problems: list[Issue] = []
    for run in {_sample_key(run): run for run in runs}.values():
        for task_data in data:
            try:
                sample_shots(task_data, run)
            except ConfigError as error:
                problems += error.issues
    return problems


def _problems_of_words(files: BackboneFiles, tasks: Sequence[Task], runs: Sequence[RunConfig]) -> list[Issue]:
    """Label words that the backbone cannot write, and inputs too short for a task's prefix and field names."""
    problems: list[Issue] = []
    styles = tuple(dict.fromkeys(run.prefix for run in runs))
    words = {task.name: tuple(dict.fromkeys(word for style in styles for word in task.words(style))) for task in tasks}
    unknown = {name: unknown_words(files, own) for name, own in words.items()}
    lost = [f"'{name}' ({', '.join(own[:3])})" for name, own in unknown.items() if own]
    if lost:
        problems.append(Issue("backbone", f"The tokenizer of backbone '{files.ref}' has no pieces for the label words "
                                          f"of {', '.join(lost)}. Choose a T5 checkpoint as the backbone, or other "
                                          "tasks; a task of your own can have other words."))
    encode, _ = encoder(files)
    for task in tasks:
        for own in dict.fromkeys(map(task.words, styles)):
            same = _same(own, encode(list(own)))
            if same and not unknown[task.name]:
                problems.append(Issue("backbone", f"The label words {same} of task '{task.name}' are the same tokens "
                                                  f"for backbone '{files.ref}'. Choose another T5 checkpoint as the "
                                                  "backbone, or other tasks."))
        for prefix, max_tokens in dict.fromkeys((run.prefix, run.max_tokens) for run in runs):
            try:
                room_for_text(task, encode(frame(task, prefix)), max_tokens)
            except ConfigError as error:
                problems += error.issues
    return problems


def _same(words: Sequence[str], ids: Sequence[Sequence[int]]) -> str:
    """The first two of `words` with the same token ids; "" where there are none."""
    first: dict[tuple[int, ...], str] = {}
    for word, own in zip(words, map(tuple, ids), strict=True):
        if own in first:
            return f"{quoted(first[own], 40)} and {quoted(word, 40)}"
        first[own] = word
    return ""


def _problems_of_texts(files: BackboneFiles, data: Sequence[TaskData]) -> list[Issue]:
    """Tasks whose texts the backbone cannot read, as the bundled one cannot read real English."""
    problems = []
    for task_data in data:
        share, example = max(task_data.unknown.values(), default=(0.0, ""))
        if share > MOST_UNKNOWN:
            split = next(split for split, found in task_data.unknown.items() if found == (share, example))
            problems.append(Issue(
                "backbone", f"The tokenizer of backbone '{files.ref}' has no pieces for {share:.0%} of the words in "
                f"the {split} rows of task '{task_data.task.name}' (such as {quoted(example, 30)}). Choose a T5 "
                "checkpoint as the backbone, or other tasks."))
    return problems


def _labels(runs: Sequence[RunConfig], data: Sequence[TaskData]) -> tuple[tuple[int, int] | None, list[str]]:
    """(fewest and most rows of a label in any sample of the runs; sentences on labels that are missing from a sample).

    At most MOST_SAMPLES are drawn for each number of shots: a draw looks at all rows, and a grid may have 2,000 seeds.
    """
    samples: dict[tuple[int, str], dict[int, RunConfig]] = {}
    for run in runs:
        of = samples.setdefault((run.shots, run.shots_per), {})
        if len(of) < MOST_SAMPLES:
            of.setdefault(run.seed if run.data_seed is None else run.data_seed, run)
    counts, notes = list[int](), list[str]()
    for task_data in data:
        drawn = [(run, rows_per_label(task_data.task, sample_shots(task_data, run)))
                 for of in samples.values() for run in of.values()]
        if not task_data.task.numeric:
            counts += [count for _, found in drawn for count in found.values()]
        for shots in dict.fromkeys(run.shots for run, _ in drawn):
            of_shots = [lacking(task_data.task, found) for run, found in drawn if run.shots == shots]
            if missing := [labels for labels in of_shots if labels]:
                names = ", ".join(quoted(label, 40) for label in dict.fromkeys(itertools.chain(*missing)))
                some = f"{shots} shot{'' if shots == 1 else 's'}, {len(missing)} of {len(of_shots)} samples"
                notes.append(f"With {some} of task '{task_data.task.name}' lack{'s' if len(missing) == 1 else ''} a "
                             f"label: no row of {names}.")
    return ((min(counts), max(counts)) if counts else None), notes


def _sample_key(run: RunConfig) -> tuple[int, str, str]:
    return run.shots, run.shots_per, run.select


def _steps(runs: Sequence[RunConfig], data: Sequence[TaskData]) -> tuple[int, ...]:
    """Steps of each run; the size of a sample depends only on the shots, so one seed stands for all."""
    rows: dict[tuple[int, str, str], int] = {}
    for run in runs:
        key = _sample_key(run)
        if key not in rows:
            rows[key] = sum(len(shots_of(run, task)[0]) for task in data)
    return tuple(total_steps(run, rows[_sample_key(run)]) for run in runs)


def _work(files: BackboneFiles, data: Sequence[TaskData], runs: Sequence[RunConfig], steps: Sequence[int],
          parameters: Sequence[int]) -> Work:
    """The work of the fleets; the length of a task's rows is measured on a few of them."""
    encode, _ = encoder(files)

    def tokens(texts: Sequence[str], most: int) -> int:
        return sum(map(len, first_ids(encode, texts, most)))

    def mean_length(task_data: TaskData, split: str, prefix: str, most: int) -> float:
        rows: Sequence[Row] = getattr(task_data, split)
        around = tokens(frame(task_data.task, prefix), most) + 1
        some = rows[::len(rows) // ROWS_MEASURED + 1]
        return float(np.mean([min(most, around + tokens(row.texts, most)) for row in some]))

    @cache
    def lengths(split: str, prefix: str, most: int) -> list[float]:  # of each task, without the prompt
        return [mean_length(task_data, split, prefix, most) for task_data in data]

    @cache
    def words(prefix: str) -> list[int]:  # tokens of all label words of each task, with </s>
        return [sum(map(len, encode(list(d.task.words(prefix))))) + len(d.task.labels) for d in data]

    works = []
    for run, count, numbers in zip(runs, steps, parameters, strict=True):
        dev = [min(len(d.dev), run.eval_rows or len(d.dev)) for d in data]
        prompt, kind = structure(run).length, (run.prefix, run.max_tokens)
        scored = sum(n * (own + prompt + more) for n, own, more in zip(dev, lengths("dev", *kind), words(run.prefix),
                                                                            strict=True))
        works.append(run_work(count, run.batch, float(np.mean(lengths("train", *kind))) + prompt, numbers, scored))
    return in_turn(map(fleet_work, fleets(works)))
