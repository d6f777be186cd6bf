"""README, changelog, citation, requirements and Makefile against the code: what they name exists, and the reverse."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest
import typer
import yaml

import compt_core
from app.launch.forms import BACKBONES
from compt_core.cli.main import app
from compt_core.exchange.report import experiment_json
from compt_core.methods import table
from compt_core.methods.table import METHODS
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.settings.config import Experiment, RunConfig, build_experiment
from compt_core.settings.presets import PRESETS
from compt_core.tasks.seen import family
from compt_core.tasks.table import CATALOGUE

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`\n]+)`", README) + re.findall(r"^```\w*\n(.*?)^```", README, re.S | re.M)
COMMANDS = typer.main.get_command(app).commands  # name -> command
OPTIONS = {name: {option for one in (command, *getattr(command, "commands", {}).values()) for parameter in one.params
                  for option in parameter.opts if option.startswith("--")} for name, command in COMMANDS.items()}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
EXTRAS = ("-track", "-ray")  # requirements files of what can be left out
PIN = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)==(?P<version>[0-9][\w.]*) +# (?P<reason>\w.+)")


def pins(file: str) -> list[str]:
    """The lines of a requirements file that ask for a package."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(("#", "-r "))]


def blocks(language: str) -> list[str]:
    """README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.S | re.M)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`make -n`, as from a shell: under `make test` it would else announce itself as a sub-make."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PORT"))}
    return subprocess.run(["make", "-n", *arguments], cwd=ROOT, env=environment, text=True, capture_output=True,
                          check=False)


@functools.cache
def owners_of_modules() -> Mapping[str, list[str]]:
    """The packages that hold a module, of all that is installed."""
    return importlib.metadata.packages_distributions()


def canonical(name: str) -> str:
    """A package's name as its index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


# --- Makefile and command line


def test_readme_starts_with_the_commands() -> None:
    first = blocks("")[0]
    assert README.index(first) < 40
    assert re.findall(r"^make (\w+)", first, re.M) == ["app", "test", "demo"]


def test_make_targets_are_named_and_exist() -> None:
    named = {target for code in CODE for target in re.findall(r"(?<![\w-])make ([a-z]+)\b", code)}
    assert named == TARGETS, f"README names {sorted(named)}, the Makefile has {sorted(TARGETS)}."


def test_commands_are_named_and_exist() -> None:
    named = {command for code in CODE for command in re.findall(r"python -m compt_core ([a-z]+)", code)}
    assert named == set(COMMANDS), f"README names {sorted(named)}, the command line has {sorted(COMMANDS)}."


def test_options_are_named_and_exist() -> None:
    known = set().union(*OPTIONS.values()) - {"--help"}
    named = {option for code in CODE for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", code)}
    assert named == known, f"Named only: {sorted(named - known)}; there, but not named: {sorted(known - named)}."


def test_whole_command_lines_use_options_of_their_command() -> None:
    lines = [line for code in CODE for line in code.splitlines() if line.startswith("python -m compt_core ")]
    assert lines
    for line in lines:
        command, *words = line.split()[3:]
        wrong = [word for word in words if word.startswith("--") and word not in OPTIONS[command]]
        assert not wrong, f"'{line}': {command} has no {', '.join(wrong)}."


def test_settings_named_with_set_exist() -> None:
    named = {name for code in CODE for name in re.findall(r"--set (\w+)=", code)} - {"key"}
    assert named
    assert named <= set(Experiment.model_fields) | set(RunConfig.model_fields)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_named_and_name_known_tasks(preset: str) -> None:
    assert f"`{preset}`" in README
    assert CATALOGUE.named(build_experiment({}, preset=preset).tasks)


# --- set-up: both commands say one clear sentence on bad input, and do nothing


@pytest.mark.slow
@pytest.mark.parametrize("port", ["abc", "0", "65536", "", "85 01", "85'01", "8501;"])
def test_a_bad_port_is_one_sentence(port: str) -> None:
    done = make("app", f"PORT={port}")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"PORT must be an integer in [1, 65535]. Got '{port}' instead" in done.stderr


@pytest.mark.slow
def test_a_good_port_is_passed_on() -> None:
    done = make("app", "PORT=8600")
    assert done.returncode == 0, done.stderr
    assert "--server.port 8600 --server.address 127.0.0.1" in done.stdout


@pytest.mark.slow
def test_an_old_python_is_one_sentence(tmp_path: Path) -> None:
    """In a folder with the script alone, and only Pythons on the PATH that call themselves 3.9."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "setup.sh", tmp_path / ".ci")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname", "cat", "cksum"):
        (tools / tool).symlink_to(shutil.which(tool) or pytest.fail(f"this machine has no {tool}"))
    for name in ("python3.11", "python3.12", "python3.13", "python3.14", "python3", "python"):
        (tools / name).write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
        (tools / name).chmod(0o755)
    done = subprocess.run([str(tmp_path / ".ci" / "setup.sh"), "app"], text=True, capture_output=True, check=False,
                          env={"PATH": str(tools)})
    assert done.returncode == 1
    assert "needs Python 3.11 or newer on the PATH. Got Python 3.9.2 instead" in done.stderr.splitlines()[-1]
    assert not (tmp_path / ".venv").exists()


# --- requirements


@pytest.mark.parametrize("line", [line for file in ("", "-dev", *EXTRAS) for line in pins(f"requirements{file}.txt")])
def test_every_requirement_has_a_pin_and_a_reason(line: str) -> None:
    assert PIN.fullmatch(line), f"'{line}' must read NAME==VERSION, two spaces or more, # and a reason."


def test_installed_versions_are_the_pinned_ones() -> None:
    for line in pins("requirements.txt") + pins("requirements-dev.txt"):
        name, version = PIN.fullmatch(line)["name"], PIN.fullmatch(line)["version"]  # type: ignore[index]
        installed = importlib.metadata.version(name).partition("+")[0]  # torch's names its build: 2.13.0+cpu
        assert installed == version, f"{name} is {installed}, not {version}; `make test` refreshes .venv."


@pytest.mark.parametrize(("rooms", "files"), [
    (("compt_core", "app", "pages"), ("", *EXTRAS)), (("tests", "benchmarks"), ("", *EXTRAS, "-dev")),
])
def test_what_is_imported_is_required(rooms: tuple[str, ...], files: tuple[str, ...]) -> None:
    lines = [line for file in files for line in pins(f"requirements{file}.txt")]
    required = {canonical(PIN.fullmatch(line)["name"]) for line in lines}  # type: ignore[index]
    owners = owners_of_modules()
    for path in (path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in (name.partition(".")[0] for name in names):
                found = {canonical(owner) for owner in owners.get(name, [])}
                where = f"requirements{files[-1]}.txt"
                assert not found or found & required, f"{path.relative_to(ROOT)} imports {name}; pin it in {where}."


# --- version, licence


def test_the_version_and_its_date_are_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", changelog, re.M)
    assert headings[0] == "[Unreleased]"
    versions = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    assert None not in versions, f"A heading is '[VERSION] - DATE': {headings}"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    newest, date = versions[0].groups()  # type: ignore[union-attr]
    assert newest == citation["version"] == compt_core.__version__
    assert date == str(citation["date-released"])


def test_the_licence_is_apache_2_in_every_file_that_names_it() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert re.match(r"\s+Apache License\n\s+Version 2\.0, January 2004\n", text)
    assert "Copyright 2026 The ComPT Lab authors" in text and "[yyyy]" not in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["license"] == "Apache-2.0"
    assert "Apache License 2.0 (`LICENSE`)" in README


def test_the_paper_is_cited_as_readme_names_it() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["cff-version"], citation["type"], citation["title"]) == ("1.2.0", "software", "ComPT Lab")
    paper, = citation["references"]
    names = " and ".join(author["family-names"] for author in paper["authors"])
    number = paper["url"].rpartition("/")[2]
    text = " ".join(README.split())
    assert f"{names}, \"{paper['title']}\" (arXiv {number})" in text


# --- what README shows


def test_json_example_has_the_keys_that_are_written() -> None:
    experiment = ExperimentRecord(id="e", owner="local", created=time.time(), config={}, references=None, states={})
    blank = {field.name: None for field in fields(RunRecord)}
    run = RunRecord(**{**blank, "id": "r", "state": State.COMPLETED, "config": {}})  # type: ignore[arg-type]
    written = experiment_json(experiment, [run])
    shown = json.loads(blocks("json")[0])
    assert list(shown) == list(written)
    assert [key for key in shown["runs"][0] if key not in written["runs"][0]] == []


def test_folders_in_the_table_exist() -> None:
    folders = re.findall(r"^\| `([\w/]+)/` \|", README, re.M)
    assert {"compt_core", "app", "pages", "tests"} <= set(folders)
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_files_named_exist() -> None:
    files = {code for code in CODE if re.fullmatch(r"[\w./-]+/[\w-]+\.(py|txt|toml|md|sh)", code)}
    assert files
    assert [file for file in files if "_x." not in file and not (ROOT / file).is_file()] == []


def test_every_method_is_explained_where_methods_are_made() -> None:
    text = table.__doc__ or ""
    assert [name for name in METHODS if not re.search(rf"^    {name.upper()}\b", text, re.M)] == []


def test_hub_ids_that_are_offered_can_be_used() -> None:
    """They are of a published family, whose lists of files are tested in tests/backbone/test_choice.py."""
    offered = set(re.findall(r"--backbone (\w[\w-]*/[\w.@-]+)", README)) | {name for name in BACKBONES if "/" in name}
    assert offered
    assert [name for name in offered if family(name) is None] == []
