"""Every recipe of CONTRIBUTING.md, tried word for word on a copy of the project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compt_core.tasks.demo import demo_rows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)


def block(start: str) -> str:
    found, = (one for one in BLOCKS if one.lstrip().startswith(start))
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for room in ("compt_core", "app", "pages", "assets"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def write(folder: Path, start: str) -> None:
    """A block that names its file in the first line, as that file."""
    name, text = block(start).split("\n", 1)
    path = folder / name.removeprefix("# ")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def insert(path: Path, before: str, line: str) -> None:
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, line + before))


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=folder, text=True, capture_output=True, timeout=300, check=False,
        env={**os.environ, "COMPT_HOME": str(folder / "home")})


def test_a_method_is_one_file_and_one_line(copy: Path) -> None:
    write(copy, "# compt_core/methods/plus.py")
    table = copy / "compt_core" / "methods" / "table.py"
    insert(table, "spp.METHOD", "plus.METHOD, ")
    table.write_text(table.read_text().replace("import mpt, mst, pt,", "import mpt, mst, plus, pt,"))
    done = run(copy, "-m", "compt_core", "run", "--tasks", "demo-mood,demo-reword", "--methods", "pt,mst,plus",
               "--shots", "4", "--steps", "2", "--eval-rows", "10", "--json", "out.json")
    assert done.returncode == 0, done.stderr
    runs = {one["method"]: one for one in json.loads((copy / "out.json").read_text())["runs"]}
    assert runs["plus"]["state"] == "completed" and runs["plus"]["attention"] is None
    assert runs["plus"]["trainable_parameters"] == sum(runs[name]["trainable_parameters"] for name in ("pt", "mst"))
    assert "PLUS" in done.stdout


def test_a_task_is_one_line(copy: Path) -> None:
    insert(copy / "compt_core" / "tasks" / "glue.py", '    Task("rte"', "    " + block("Task(").strip() + ",\n")
    data = copy / "data" / "sick"
    data.mkdir(parents=True)
    for split in ("train", "dev"):
        rows = "".join("\t".join([*row.texts, f"{i % 3}\n"])
                       for i, row in enumerate(demo_rows("demo-follows", split)[:12]))
        (data / f"{split}.tsv").write_text("sentence_A\tsentence_B\tlabel\n" + rows)
    done = run(copy, "-m", "compt_core", "run", "--tasks", "sick", "--data-dir", "data", "--methods", "pt",
               "--shots", "6", "--steps", "1", "--json", "out.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((copy / "out.json").read_text())["runs"][0]["tasks"]["sick"].keys() == {"accuracy"}


def test_a_page_is_a_room_a_script_and_a_line(copy: Path) -> None:
    for name in ("# app/words/names.py", "# app/words/view.py", "# pages/words.py"):
        write(copy, name)
    (copy / "app" / "words" / "__init__.py").write_text('"""The page Words."""\n')
    insert(copy / "app" / "main.py", '    "space": (', "    " + block('"words"').strip() + "\n")
    insert(copy / "app" / "address.py", '    "gates": ', '    "words": (),\n')
    insert(copy / "pyproject.toml", '| report",\n    "ui"', "| words ")
    script = ("from streamlit.testing.v1 import AppTest; "
              "app = AppTest.from_file('app/main.py', default_timeout=60).switch_page('../pages/words.py').run(); "
              "print([part.value for part in app.exception], [part.value for part in app.markdown])")
    done = run(copy, "-c", script)
    assert done.returncode == 0 and done.stdout.startswith("[]"), done.stdout + done.stderr
    linted = subprocess.run([Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=copy, text=True,
                            capture_output=True, timeout=120, check=False)
    assert linted.returncode == 0, linted.stdout


def test_a_setting_is_one_field(copy: Path) -> None:
    insert(copy / "compt_core" / "settings" / "fields.py", "    scoring: ", block("label_smoothing"))
    assert "label_smoothing" in run(copy, "-m", "compt_core", "run", "--set", "help").stdout
    done = run(copy, "-m", "compt_core", "run", "--set", "label_smoothing=2")
    assert done.returncode == 2 and "'label_smoothing' setting" in done.stderr and "[0, 1)" in done.stderr


def test_files_that_are_named_exist() -> None:
    named = set(re.findall(r"`([\w./-]+/[\w-]+\.(?:py|toml|md))`", TEXT)) | {"pyproject.toml"}
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_diagram_has_every_room_in_the_order_of_the_contract() -> None:
    import tomllib

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one for one in contracts if one.get("containers") == ["compt_core"])["layers"]
    rooms = [room for layer in layers for room in re.findall(r"\w+", layer) if room != "__main__"]
    diagram = TEXT.split("```\npages/", 1)[1].split("```", 1)[0]
    shown = [word for line in diagram.splitlines() if (found := re.match(r"   (\w[\w ]*?)(?:  |$)", line))
             for word in found[1].split()]
    assert shown == rooms
