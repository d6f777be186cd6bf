"""Who may import whom, what loads no torch, and how large a file may grow.

The layers are a list, lowest first: a module imports from its own layer or from a lower one, and
never in a circle. Imports inside functions count like any other, for they hide the same knot.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# An entry is a module, or a package with all that is below it; the longest entry that fits decides.
LAYERS: tuple[tuple[str, ...], ...] = (
    # facts and settings
    ("compt_core", "compt_core.errors", "compt_core.settings.presets", "compt_core.settings.plain", "compt_core.settings.values",
     "compt_core.settings.sentences", "compt_core.settings.config", "compt_core.streams", "compt_core.scoring.statistics", "compt_core.planning.estimate",
     "compt_core.analysis.relatedness", "compt_core.analysis.matching", "compt_core.analysis.space", "compt_core.analysis.peft_adapter",
     "compt_core.analysis.imported", "compt_core.scoring.metrics", "compt_core.threads", "compt_core.training.events",
     "compt_core.runs.record", "compt_core.analysis.signatures", "compt_core.signals", "compt_core.scratch"),
    # the demo language, from which the demo tasks draw their rows
    ("compt_core.language.lexicon", "compt_core.language.grammar", "compt_core.language.relations", "compt_core.language.pairs",
     "compt_core.language.cases", "compt_core.language.suites"),
    # the maths, the tasks, the frozen model
    ("compt_core.composition", "compt_core.tasks", "compt_core.backbone.files", "compt_core.backbone.load",
     "compt_core.backbone.kept", "compt_core.backbone.charsmap", "compt_core.backbone.config",
     "compt_core.backbone.tokenizer", "compt_core.backbone.weights", "compt_core.backbone.vocabulary", "compt_core.backbone.passes",
     "compt_core.backbone.cache", "compt_core.backbone.memory", "compt_core.planning.data"),
    # runs side by side in one forward pass
    ("compt_core.methods.table", "compt_core.backbone.t5", "compt_core.methods.fleet", "compt_core.scoring.predictions",
     "compt_core.scoring.score"),
    ("compt_core.training", "compt_core.methods.inspection", "compt_core.analysis.diagnosis"),
    # the glue, and its check before anything is queued
    ("compt_core.training.fleet_run", "compt_core.executors.gpus", "compt_core.planning.check"),
    # who keeps runs, and who made the bundled backbone
    ("compt_core.runs", "compt_core.demo"),
    ("compt_core.exchange.report", "compt_core.analysis.answers", "compt_core.exchange.export", "compt_core.cli.output", "compt_core.cli.terminal",
     "compt_core.whatif", "compt_core.cli.options", "compt_core.cli.control", "compt_core.cli.main", "compt_core.__main__"),
    ("app",),
    ("pages",),
)
# Modules that must stay apart although their layers would allow it: (who, whom, why).
APART = (
    ("compt_core", "streamlit", "the core knows nothing of the dashboard"),
    ("compt_core.composition", "compt_core", "the paper's maths takes tensors and returns tensors"),
    ("compt_core.tasks", "compt_core.backbone.load", "a task is text; who turns it into tokens is handed in"),
    ("app", "compt_core.cli.main", "the dashboard and the command line share the core, not each other"),
    ("pages", "compt_core.cli.main", "the dashboard and the command line share the core, not each other"),
)
# In importing any of these, neither torch nor transformers may be loaded: pages and --help start fast.
TORCH_FREE = (
    "compt_core.settings.config", "compt_core.settings.presets", "compt_core.methods.table", "compt_core.training.events",
    "compt_core.planning.estimate", "compt_core.analysis.space", "compt_core.analysis.imported", "compt_core.backbone.vocabulary", "compt_core.tasks.table",
    "compt_core.tasks.files", "compt_core.backbone.load", "compt_core.planning.data",
    "compt_core.runs.record", "compt_core.runs.store", "compt_core.runs.worker", "compt_core.planning.check", "compt_core.cli.main",
    "compt_core.analysis.diagnosis",
    "compt_core.whatif.edit", "compt_core.whatif.inside", "compt_core.whatif.change", "compt_core.whatif.effects",
    "compt_core.whatif.answer", "compt_core.whatif.texts", "compt_core.whatif.variants",
)
FILE_LINES, PAGE_LINES, FUNCTION_LINES = 300, 120, 60


def module_name(path: Path) -> str:
    """``compt_core/tasks/__init__.py`` -> ``compt_core.tasks``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


ROOMS = ("compt_core", "app", "pages")
SOURCES = {module_name(path): path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}


def within(module: str, package: str) -> bool:
    """Whether `module` is `package` or below it."""
    return module == package or module.startswith(package + ".")


def layer(module: str) -> int | None:
    """Index of a module's layer; None when no entry fits. ``compt_core`` alone means the package's own file."""
    fitting = [(len(entry), index) for index, entries in enumerate(LAYERS) for entry in entries
               if module == entry or (entry != "compt_core" and within(module, entry))]
    return max(fitting)[1] if fitting else None


def imported(module: str, tree: ast.Module, known: dict[str, Path] = SOURCES) -> Iterator[tuple[str, int]]:
    """(module imported, line) of every import statement, wherever it stands; relative ones made absolute."""
    package = module if known.get(module, Path()).name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (start, node.module) if part)
            for alias in node.names:  # `from package import module` means the module, not the package's file
                inner = f"{source}.{alias.name}"
                yield (inner if inner in known else source), node.lineno


TREES = {module: ast.parse(path.read_text(encoding="utf-8"), str(path)) for module, path in SOURCES.items()}
IMPORTS = [(module, target, line) for module, tree in TREES.items() for target, line in imported(module, tree)]


def problems(imports: list[tuple[str, str, int]]) -> list[str]:
    """A sentence for each import that goes upwards, or to a module that must stay apart."""
    found = []
    for module, target, line in imports:
        here, there = layer(module), layer(target)
        where = f"{module}, line {line}, imports {target}"
        if here is not None and there is not None and there > here:
            found.append(f"{where}, which is in a higher layer: {', '.join(LAYERS[there])}. Move what both need down.")
        found += [f"{where}: {why}." for who, whom, why in APART
                  if within(module, who) and within(target, whom) and not within(target, who)]
    return found


def test_every_module_has_a_layer() -> None:
    lost = [module for module in SOURCES if layer(module) is None]
    assert not lost, (f"{', '.join(lost)} stands in no layer: add it to LAYERS in tests/test_layers.py, "
                      "as low as its imports allow.")


def test_every_layer_entry_exists() -> None:
    dead = [entry for entries in LAYERS for entry in entries if not any(within(module, entry) for module in SOURCES)]
    assert not dead, f"LAYERS in tests/test_layers.py names what is not there: {', '.join(dead)}."


def test_imports_run_downward() -> None:
    assert not problems(IMPORTS), "\n".join(problems(IMPORTS))


@pytest.mark.parametrize(("module", "target"), [
    ("compt_core.tasks.files", "compt_core.scoring.score"),
    ("compt_core.composition.combine", "compt_core.settings.config"),
    ("compt_core.methods.fleet", "compt_core.training.loop"),
    ("compt_core.training.fleet_run", "compt_core.runs.store"),
    ("compt_core.tasks.demo", "compt_core.demo.pretrain"),
    ("compt_core.runs.worker", "app.ui.state"),
    ("compt_core.errors", "streamlit"),
    ("app.show.frames", "pages.launch"),
])
def test_a_forbidden_import_is_seen(module: str, target: str) -> None:
    assert problems([(module, target, 7)])


@pytest.mark.parametrize(("statement", "target"), [
    ("import compt_core.methods.fleet", "compt_core.methods.fleet"),
    ("from compt_core import fleet", "compt_core.methods.fleet"),
    ("from compt_core.methods.fleet import Fleet", "compt_core.methods.fleet"),
    ("from ..fleet import Fleet", "compt_core.methods.fleet"),
    ("from .. import fleet", "compt_core.methods.fleet"),
    ("from . import spec", "compt_core.tasks.spec"),
    ("def f():\n    from compt_core.methods.fleet import Fleet", "compt_core.methods.fleet"),
    ("if TYPE_CHECKING:\n    from compt_core.methods.fleet import Fleet", "compt_core.methods.fleet"),
])
def test_every_form_of_import_is_read(statement: str, target: str) -> None:
    assert [name for name, _ in imported("compt_core.tasks.files", ast.parse(statement))] == [target]


def test_no_circles() -> None:
    graph = {module: {target for source, target, _ in IMPORTS if source == module and target in SOURCES} - {module}
             for module in SOURCES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"These modules import each other in a circle: {' -> '.join(reversed(error.args[1]))}.")


def test_torch_is_not_loaded_where_pages_start() -> None:
    """One process imports the modules one by one and names the first that loads torch or transformers.

    app.main is left out: to import it is to run it. The core comes first, without Streamlit.
    """
    pages_need = [module for module in SOURCES if within(module, "app") and module != "app.main"]
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


@pytest.mark.parametrize("module", SOURCES)
def test_files_and_functions_stay_short(module: str) -> None:
    text, limit = SOURCES[module].read_text(encoding="utf-8"), PAGE_LINES if within(module, "pages") else FILE_LINES
    lines = len(text.splitlines())
    assert lines < limit, f"{module} has {lines} lines; stay under {limit}: give a subject of it a file of its own."
    long = [f"{node.name} ({length} lines)" for node in ast.walk(TREES[module])
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (length := (node.end_lineno or 0) - node.lineno + 1) >= FUNCTION_LINES]
    assert not long, f"{module}: {', '.join(long)} must stay under {FUNCTION_LINES} lines; name its steps as functions."


@pytest.mark.parametrize("name", ["utils", "helpers", "base", "common"])
def test_no_file_without_a_subject(name: str) -> None:
    found = [module for module in SOURCES if module.rpartition(".")[2] == name]
    assert not found, f"{', '.join(found)}: name the file after what it is about."
