"""Which experiment `run` trains: options over the file, the file over its preset, values as they are meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from compt_core.cli import main as cli
from compt_core.cli.options import Once


@pytest.fixture
def submitted(call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The experiment that `run` would train."""
    def experiment(*words: object) -> Any:
        caught: list[Any] = []
        monkeypatch.setattr(cli, "train", lambda checked, json_file: caught.append(checked.experiment) or 0)
        done = call("run", *words)
        assert (done.code, done.err) == (0, "")
        return caught[0]

    return experiment


def test_without_words_the_demo_runs(submitted: Callable[..., Any]) -> None:
    experiment = submitted()
    assert experiment.backbone == "demo"
    assert experiment.methods == ("pt", "mst", "spp", "scp")
    assert len(experiment.tasks) == 12


def test_options_go_over_the_file_and_the_file_over_its_preset(submitted: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("preset: first-2\nshots: 4\nseeds: 0-2\nbatch: 5\n")
    experiment = submitted("--config", file, "--shots", "6", "--set", "seed=3")
    assert (experiment.methods, experiment.shots, experiment.seeds, experiment.batch) == (("mst", "pt"), (6,), (3,), 5)
    assert submitted("--config", file, "--preset", "first-3").methods == ("spp",)


def test_options_hold_for_all_methods_also_where_the_file_has_settings_for_single_ones(
    submitted: Callable[..., Any], tmp_path: Path,
) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("tasks: [demo-mood]\nmethods: [pt, mst]\nmethod_settings: {pt: {steps: 3, batch: 2}}\n")
    experiment = submitted("--config", file, "--steps", "9")
    assert [(run.steps, run.batch) for run in experiment.runs()] == [(9, 2), (9, 16)]
    own = submitted("--config", file, "--steps", "9", "--set", "method_settings={pt: {steps: 4}}")
    assert [run.steps for run in own.runs()] == [4, 9]


def test_a_row_of_the_file_without_a_method_is_not_dropped_when_an_option_takes_its_settings(
    call: Callable[..., Any], tmp_path: Path,
) -> None:
    file = tmp_path / "s.yaml"
    for own in ("{}", "{steps: 3}"):
        file.write_text(f"tasks: [demo-mood]\nvariants: {{a: {own}}}\n")
        done = call("run", "--config", file, "--steps", "9")
        assert done.code == 2 and "'a' must name its method" in done.err


def test_a_file_alone_starts_from_defaults(submitted: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("tasks: [demo-mood, demo-echo]\n")
    experiment = submitted("--config", tmp_path / "s.yaml")
    assert (experiment.sources, experiment.shots, experiment.methods) == (3, (16,), ("pt", "mst", "spp"))
    assert submitted("--tasks", "demo-mood").sources == 3


def test_values_are_read_as_they_are_meant(submitted: Callable[..., Any]) -> None:
    experiment = submitted("--tasks", "demo-mood,demo-echo", "--set", "attention=[[1, 0], [0, 1]]",
                           "--set", "sources=2", "--set", "gates=off", "--set", "lr_source=1e-2",
                           "--set", "steps=", "--set", "seed=3",
                           "--set", "method_settings={pt: {lr_private: .3}}", "--set", "init_seed=7")
    assert experiment.attention == ((1, 0), (0, 1))
    assert (experiment.gates, experiment.lr_source, experiment.steps, experiment.seeds) == ("off", 0.01, None, (3,))
    assert experiment.runs()[0].lr_private == 0.3


def test_numbers_are_what_was_typed(submitted: Callable[..., Any], tmp_path: Path) -> None:
    experiment = submitted("--tasks", "demo-mood", "--steps", "010", "--shots", "010", "--seeds", "08-10")
    assert (experiment.steps, experiment.shots, experiment.seeds) == (10, (10,), (8, 9, 10))
    (tmp_path / "s.yaml").write_text("tasks: [demo-mood]\nseeds: 010\nbatch: 012\nclip: 1e1\nmethod_settings: "
                                     "{pt: {steps: 010}}\ninit_range: .5\n")
    experiment = submitted("--config", tmp_path / "s.yaml")
    assert (experiment.seeds, experiment.batch, experiment.clip, experiment.init_range) == ((10,), 12, 10.0, 0.5)
    assert {run.method: run.steps for run in experiment.runs()} == {"pt": 10, "mst": None, "spp": None}


def test_a_setting_of_the_file_is_replaced_by_its_other_name(submitted: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("tasks: [demo-mood]\nseed: 3\nmethod: pt\n")
    experiment = submitted("--config", tmp_path / "s.yaml", "--seeds", "1,2", "--methods", "mst")
    assert (experiment.seeds, experiment.methods) == ((1, 2), ("mst",))


def test_every_command_refuses_an_option_given_twice() -> None:
    commands = dict(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
    for group in ("backbone", "data", "task"):
        commands |= {f"{group} {name}": command for name, command in commands.pop(group).commands.items()}
    assert {name for name, command in commands.items() if not isinstance(command, Once)} == set()


def test_folders_with_names_like_numbers_stay_text(
    submitted: Callable[..., Any], tmp_path: Path, glue_dir: Path, tiny_t5: Path
) -> None:
    (tmp_path / "here" / "2024-01-01").symlink_to(glue_dir)
    (tmp_path / "here" / "007").symlink_to(tiny_t5)
    experiment = submitted("--tasks", "rte", "--set", "data_dir=2024-01-01", "--set", "backbone=007")
    assert (experiment.data_dir, experiment.backbone) == (str(tmp_path / "here/2024-01-01"), str(tmp_path / "here/007"))
