"""Who may import whom, what loads no torch, and how large a file may grow.

The rules of imports are contracts of import-linter, in pyproject.toml.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINTER = Path(sys.executable).with_name("lint-imports")

# In importing any of these, neither torch nor transformers may be loaded: pages and --help start fast.
TORCH_FREE = (
    "compt_core.settings.config", "compt_core.settings.presets", "compt_core.methods.table",
    "compt_core.training.events", "compt_core.planning.estimate", "compt_core.planning.check",
    "compt_core.planning.data", "compt_core.composition.geometry", "compt_core.analysis.projections",
    "compt_core.prompts.foreign", "compt_core.analysis.diagnosis", "compt_core.backbone.vocabulary",
    "compt_core.backbone.load", "compt_core.tasks.table", "compt_core.tasks.files", "compt_core.runs.record",
    "compt_core.runs.store", "compt_core.runs.worker", "compt_core.cli.main", "compt_core.whatif.edit",
    "compt_core.whatif.inside", "compt_core.whatif.change", "compt_core.whatif.effects", "compt_core.whatif.answer",
    "compt_core.whatif.texts", "compt_core.whatif.variants",
)
FILE_LINES, PAGE_LINES, FUNCTION_LINES = 300, 120, 60


def module_name(path: Path) -> str:
    """``compt_core/tasks/__init__.py`` -> ``compt_core.tasks``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for folder in ("compt_core", "app", "pages")
           for path in sorted((ROOT / folder).rglob("*.py"))}


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINTER, "--no-cache"], cwd=folder, text=True, capture_output=True, timeout=120, check=False)


@pytest.mark.slow  # `make quick` runs the linter itself
def test_imports_keep_the_contracts() -> None:
    done = linted(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_arrows_that_are_forbidden_are_each_seen(tmp_path: Path) -> None:
    """Planted in a copy all at once; every one is named with what it imports."""
    arrows = {
        "compt_core/tasks/files.py": ("from compt_core.scoring import score", "compt_core.scoring.score"),
        "compt_core/composition/combine.py": ("import compt_core.settings.config", "compt_core.settings.config"),
        "compt_core/training/fleet_run.py": ("from compt_core.runs.store import Store", "compt_core.runs.store"),
        "compt_core/language/suites.py": ("from compt_core.tasks import demo", "compt_core.tasks.demo"),
        "compt_core/runs/worker.py": ("from app.ui import state", "app.ui.state"),
        "compt_core/errors.py": ("import streamlit", "streamlit"),
        "app/show/frames.py": ("from app.ui import state", "app.ui.state"),
        "app/gates/view.py": ("from app.attention import cells", "app.attention.cells"),
        "app/ui/services.py": ("def f():\n    from compt_core.cli import main", "compt_core.cli.main"),
    }
    for name in ("compt_core", "app", "pyproject.toml"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    for module, (arrow, _) in arrows.items():
        with (tmp_path / module).open("a") as file:
            file.write(f"\n{arrow}\n")
    done = linted(tmp_path)
    assert done.returncode == 1, done.stdout
    for module, (_, imported) in arrows.items():
        name = module.removesuffix(".py").replace("/", ".")
        assert re.search(rf"{re.escape(name)} -> {re.escape(imported)} \(l\.", done.stdout), f"{name} -> {imported}"


def test_pages_import_their_own_room_alone() -> None:
    """A page may also offer the report; streamlit scripts are in no package, so import-linter cannot see them."""
    shared = {"ui", "show", "report"}
    for path in (ROOT / "pages").glob("*.py"):
        names = {node.module.split(".")[1] if node.module != "app" else node.names[0].name
                 for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
                 and node.module and node.module.split(".")[0] == "app"}
        assert names <= shared | {path.stem}, f"{path.name} imports {names - shared - {path.stem}}"


@pytest.mark.slow
def test_torch_is_not_loaded_where_pages_start() -> None:
    """One process imports the modules one by one and names the first that loads torch or transformers.

    app.main is left out: to import it is to run it. The core comes first, without Streamlit.
    """
    pages_need = [module for module in SOURCES if module.startswith("app") and module != "app.main"]
    program = (
        "import sys, importlib\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'torch', 'transformers', 'datasets'} | ({'streamlit'} if name[:5] == 'compt' else set())\n"
        "    if heavy & set(sys.modules):\n"
        "        sys.exit(f'{name} loads {sorted(heavy & set(sys.modules))}; import it where it is used')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *TORCH_FREE, *pages_need], cwd=ROOT, text=True,
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_files_and_functions_stay_short() -> None:
    for module, path in SOURCES.items():
        text = path.read_text(encoding="utf-8")
        lines, limit = len(text.splitlines()), PAGE_LINES if module.startswith("pages") else FILE_LINES
        assert lines < limit, f"{module} has {lines} lines; stay under {limit}: give a subject of it a file of its own."
        long = [f"{node.name} ({length} lines)" for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and (length := (node.end_lineno or 0) - node.lineno + 1) >= FUNCTION_LINES]
        assert not long, f"{module}: {', '.join(long)} must stay under {FUNCTION_LINES} lines; name its steps."


def test_no_file_without_a_subject() -> None:
    found = [module for module in SOURCES if module.rpartition(".")[2] in ("utils", "helpers", "base", "common")]
    assert not found, f"{', '.join(found)}: name the file after what it is about."
