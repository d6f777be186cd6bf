"""What is known before anything is queued: every problem at once, paths made absolute, steps and sizes."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from compt_core.errors import ConfigError, HubError
from compt_core.planning import check as launch_module
from compt_core.planning.check import LaunchCheck, check, trainable_parameters
from compt_core.settings.config import build_experiment
from compt_core.tasks.fewshot import sample_shots
from compt_core.tasks.table import TASKS


def launch(glue_dir: Path, tiny_t5: Path, **settings: Any) -> LaunchCheck:
    defaults = {"tasks": "rte,cola", "backbone": str(tiny_t5), "data_dir": str(glue_dir), "shots": 8}
    return check(build_experiment(defaults | settings))


@pytest.fixture
def problems(glue_dir: Path, tiny_t5: Path):
    def found(**settings: Any) -> list[tuple[str, str]]:
        with pytest.raises(ConfigError) as caught:
            launch(glue_dir, tiny_t5, **settings)
        return [(issue.field, issue.message) for issue in caught.value.issues]

    return found


def test_a_good_experiment_is_known_in_full(glue_dir: Path, tiny_t5: Path) -> None:
    checked = launch(glue_dir, tiny_t5, methods="pt,mst", shots="8,16", seeds="0,1", epochs=3, batch=4)
    assert [(r.method, r.shots, r.seed) for r in checked.runs] == [
        (m, s, i) for m in ("pt", "mst") for s in (8, 16) for i in (0, 1)]
    assert checked.steps == (12, 12, 24, 24) * 2  # 2 tasks x shots x 3 epochs / 4 rows
    assert [d.task.name for d in checked.data] == ["rte", "cola"]
    assert checked.backbone.hidden == 24
    assert checked.parameters == tuple(trainable_parameters(run, 24) for run in checked.runs)
    assert checked.parameters[0] == 2 * checked.parameters[-1]  # two prompts against one


def test_steps_count_the_rows_that_are_drawn(glue_dir: Path, tiny_t5: Path) -> None:
    checked = launch(glue_dir, tiny_t5, tasks="mnli,stsb", shots=6, shots_per="class", epochs=1, batch=1)
    assert checked.steps[0] == sum(len(sample_shots(data, checked.runs[0])) for data in checked.data) == 3 * 6 + 6
    held = launch(glue_dir, tiny_t5, shots=8, select="best", epochs=1, batch=1)
    assert held.steps[0] == 2 * 6  # a quarter of the shots chooses the step
    assert launch(glue_dir, tiny_t5, steps=5).steps == (5, 5, 5)


def test_paths_are_made_absolute_for_a_worker_that_stands_elsewhere(
    glue_dir: Path, tiny_t5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_t5, tmp_path / "home" / "t5")
    shutil.copytree(glue_dir, tmp_path / "rows")
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path))
    for backbone, data_dir in (("t5", "../rows"), ("./t5", "~/rows"), ("~/home/t5", str(tmp_path / "rows"))):
        experiment = launch(Path(data_dir), Path(backbone)).experiment
        assert (experiment.backbone, experiment.data_dir) == (str(tmp_path / "home" / "t5"), str(tmp_path / "rows"))
        assert {run.backbone for run in launch(Path(data_dir), Path(backbone)).runs} == {experiment.backbone}
    assert launch(glue_dir, tiny_t5, backbone="demo", tasks="demo-mood").experiment.backbone == "demo"


# --- problems


def test_every_problem_of_names_data_and_backbone_is_found_at_once(problems: Any) -> None:
    found = problems(tasks="zzz,rte,imdb,paws", backbone="/nowhere", shots=60)
    assert [field for field, _ in found] == ["tasks", "data_dir", "data_dir", "shots", "backbone"]
    assert "There is no task 'zzz'." in found[0][1]
    assert "no folder for the task 'imdb'" in found[1][1]
    assert "no folder for the task 'paws'" in found[2][1]
    assert "training rows of task 'rte' (48). Got 60 instead" in found[3][1]
    assert "'/nowhere' is not a folder" in found[4][1]


def test_a_missing_data_folder_is_one_problem_whatever_the_tasks(problems: Any, tmp_path: Path) -> None:
    assert problems(tasks="rte,cola,mrpc", data_dir=str(tmp_path / "no")) == [
        ("data_dir", f"The data folder '{tmp_path}/no' does not exist. "
                     "Give a folder with TASK/train and TASK/dev files.")]
    assert "does not exist" in problems(data_dir="x" * 5000)[0][1]
    assert len(problems(data_dir="x" * 5000)[0][1]) < 400


def test_a_hub_that_fails_is_asked_for_one_task_only(problems: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fail(task: Any, data_dir: str | None) -> Any:
        asked.append(task.name)
        raise HubError("The hub cannot be reached.")

    monkeypatch.setattr("compt_core.planning.check.load_task", fail)
    assert problems(tasks="rte,cola,mrpc", data_dir=None) == [("data_dir", "The hub cannot be reached.")]
    assert asked == ["rte"]


def test_shots_are_compared_with_every_task_and_every_way_of_counting(problems: Any) -> None:
    found = problems(tasks="mnli,rte", shots="16,20,50", shots_per="class", methods="pt,mst", seeds="0-3")
    assert [message.partition(" of task ")[2].partition(";")[0] for _, message in found] == [
        "'mnli' per label (16). Got 20 instead", "'mnli' per label (16). Got 50 instead",
        "'rte' per label (24). Got 50 instead"]
    whole = problems(tasks="rte,cola", shots="30,1000", methods="pt,mst")  # 30 of a task are there
    assert [message.partition(" of task ")[2].partition(";")[0] for _, message in whole] == [
        "'rte' (48). Got 1000 instead", "'cola' (48). Got 1000 instead"]


def test_a_backbone_that_cannot_write_the_labels_is_refused(problems: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = dataclasses.replace(TASKS["sst2"], labels=("grim", "sunny"))
    monkeypatch.setitem(TASKS, "sst2", odd)
    messages = [message for field, message in problems(tasks="demo-mood,sst2", backbone="demo") if field == "backbone"]
    assert "has no pieces for the label words of 'sst2' (grim, sunny). Choose a T5 checkpoint" in messages[0]


def test_a_backbone_that_cannot_read_the_texts_is_refused(problems: Any) -> None:
    (field, message), = problems(tasks="rte,demo-mood", backbone="demo")
    assert field == "backbone"
    assert re.fullmatch(r"The tokenizer of backbone 'demo' has no pieces for \d\d% of the words in the \w+ "
                        r"rows of task 'rte' \(such as '\S+'\)\. Choose a T5 checkpoint as the backbone, or other "
                        r"tasks\.", message)


def test_inputs_that_leave_no_room_for_text_are_refused(problems: Any) -> None:
    settings = {"tasks": "qqp", "prefix": "native"}
    (field, message), = problems(**settings, max_tokens=16)
    assert field == "max_tokens"
    assert "prefix and field names of task 'qqp' take " in message
    assert "Got 16 instead; set at least " in message
    needed = int(message.rstrip(".").rpartition(" ")[2])
    assert problems(**settings, max_tokens=needed - 1)[0][0] == "max_tokens"
    assert [field for field, _ in problems(**settings, max_tokens=needed, shots=1000)] == ["shots"]


def test_label_words_that_are_the_same_to_the_backbone_are_refused(
    problems: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, "demo-mood", dataclasses.replace(TASKS["demo-mood"], labels=("true", "True ")))
    found = problems(tasks="demo-mood", backbone="demo", data_dir=None)
    assert found[0] == ("backbone", "The label words 'true' and 'True ' of task 'demo-mood' are the same tokens for "
                                    "backbone 'demo'. Choose another T5 checkpoint as the backbone, or other tasks.")


def planted(glue_dir: Path, folder: Path, task: str, split: str, old: str, new: str) -> Path:
    """A copy of the data with `old` replaced by `new` in a file of `task`."""
    shutil.copytree(glue_dir, folder)
    path = folder / task / f"{split}.tsv"
    path.write_text(path.read_text().replace(old, new))
    return folder


@pytest.mark.parametrize("split", ["train", "dev"])
def test_texts_that_cannot_be_read_are_refused_in_either_split(
    problems: Any, glue_dir: Path, tmp_path: Path, split: str
) -> None:
    lines = (glue_dir / "cola" / f"{split}.tsv").read_text().splitlines()
    text = "\n".join([lines[0], *(f"{'猫 ' * 60 + str(n) if n > 4 else line.split(chr(9))[0]}\t{n % 2}"
                                 for n, line in enumerate(lines[1:]))])
    shutil.copytree(glue_dir, tmp_path / "data")
    (tmp_path / "data" / "cola" / f"{split}.tsv").write_text(text + "\n")
    (field, message), = problems(tasks="cola", data_dir=str(tmp_path / "data"))
    assert field == "backbone" and f"% of the words in the {split} rows of task 'cola' (such as '猫')" in message


def test_what_is_known_of_data_and_samples_is_noted(glue_dir: Path, tiny_t5: Path, tmp_path: Path) -> None:
    assert launch(glue_dir, tiny_t5, shots=8).notes == ()
    assert launch(glue_dir, tiny_t5, shots=8, tasks="rte,stsb").per_label == (4, 4)
    assert launch(glue_dir, tiny_t5, shots=8, tasks="stsb").per_label is None
    folder = planted(glue_dir, tmp_path / "data", "rte", "train", "the ", "猫 ")
    checked = launch(folder, tiny_t5, tasks="rte,mnli", shots="2,9", seeds="0-3")
    assert checked.per_label == (0, 5)
    words, lacks = checked.notes
    assert words.startswith(f"The tokenizer of backbone '{tiny_t5}' has no pieces for ")
    assert lacks.startswith("With 2 shots, 4 of 4 samples of task 'mnli' lack a label: no row of '")


def test_the_rows_of_a_task_are_those_that_the_backbone_tells_apart_from_dev(
    glue_dir: Path, tiny_t5: Path, tmp_path: Path, problems: Any
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(glue_dir, folder)
    dev = (folder / "mrpc" / "dev.tsv").read_text().splitlines()[1:]
    with (folder / "stsb" / "train.tsv").open("a") as file:
        file.writelines(line.rpartition("\t")[0].replace(" ", "  ", 1) + "\t3.0\n" for line in dev)
    checked = launch(folder, tiny_t5, tasks="stsb,mrpc")
    assert [len(one.train) for one in checked.data] == [48, 48]
    assert checked.notes == (f"{len(dev)} training rows of task 'stsb' are also among the dev rows of task 'mrpc', so "
                             "they are not trained on.",)
    (_, few), = problems(tasks="stsb,mrpc", data_dir=str(folder), shots=49)[:1]
    assert "training rows of task 'stsb' (48). Got 49" in few
    shutil.copy(folder / "mrpc" / "dev.tsv", folder / "mrpc" / "train.tsv")
    assert problems(tasks="mrpc,rte", data_dir=str(folder))[0][0] == "data_dir"


def test_a_check_reads_the_beginning_of_texts_only(
    glue_dir: Path, tiny_t5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten rows of a million characters took as long as a thousand times as many short ones."""
    folder, real, seen = tmp_path / "data", launch_module.encoder, 0
    (folder / "sst2").mkdir(parents=True)

    def counting(files: Any) -> Any:
        encode, unknown = real(files)

        def counted(texts: list[str]) -> list[list[int]]:
            nonlocal seen
            seen += sum(map(len, texts))
            return encode(texts)

        return counted, unknown

    for module in ("check", "data"):
        monkeypatch.setattr(f"compt_core.planning.{module}.encoder", counting)
    for split in ("train", "dev"):
        texts = [f"{split} {n} " + ("the river opens " * 60_000 if n % 2 else "river" * 200_000) for n in range(4)]
        (folder / "sst2" / f"{split}.tsv").write_text(
            "sentence\tlabel\n" + "".join(f"{text}\t{n % 2}\n" for n, text in enumerate(texts)))
    assert launch(folder, tiny_t5, tasks="sst2", shots=2).notes == ()
    assert seen < 3_500_000


def test_a_rows_own_setting_that_its_method_never_reads_is_said(glue_dir: Path, tiny_t5: Path) -> None:
    checked = launch(glue_dir, tiny_t5, variants=["a: method=pt sources=2 lr_gate=0.2", "b: method=spp sources=2"])
    assert len(checked.notes) == 1
    assert all(word in checked.notes[0] for word in ("'a'", "'sources' and 'lr_gate'", "PT"))
