"""What every test stands on: no network, one torch thread, its own home folder, and small real files.

Fixtures: `home` (an empty COMPT_HOME), `store` (the store in it), `version_4` (one of an older version), `tiny_t5` (a
T5 checkpoint), `glue_dir` (files of GLUE-8).
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Before any library is imported: these are read once, and child processes inherit them.
os.environ |= {
    "OMP_NUM_THREADS": "1",  # torch and numpy: sums in one order, and no fight over two cores
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "COMPT_DEMO_RUNS": "off",  # a store under test holds what the test puts there
    "COMPT_WORKER": "off",  # a page under test must not start to train; a test that wants a worker makes one
    "COMPT_ENGLISH": "",  # in COMPT_HOME, where it is not; tests/english says where it is
    "COMPT_HOME": tempfile.mkdtemp(prefix="compt-tests-"),  # where a test without `home` would write
}

settings.register_profile("compt", deadline=None, derandomize=True, database=None)
settings.load_profile("compt")

# (columns, label words) as they stand in the files of the GLUE benchmark, written down a second time here
# so that a slip in the project's own table shows. cola to qqp carry indices in their files, the others words.
GLUE_FILES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "cola": (("sentence",), ("0", "1")),
    "sst2": (("sentence",), ("0", "1")),
    "mrpc": (("sentence1", "sentence2"), ("0", "1")),
    "qqp": (("question1", "question2"), ("0", "1")),
    "stsb": (("sentence1", "sentence2"), ()),
    "mnli": (("premise", "hypothesis"), ("entailment", "neutral", "contradiction")),
    "qnli": (("question", "sentence"), ("entailment", "not_entailment")),
    "rte": (("sentence1", "sentence2"), ("entailment", "not_entailment")),
}
TRAIN_ROWS, DEV_ROWS = 48, 20

# Tests that start browsers, servers and workers of their own: two of them at once would starve each other.
PROGRAMS = ("tests/browser/", "tests/faults/")
# Folders and files whose every test has the marker `slow`: they train, drive pages or try many random inputs. Those of
# QUICK inside them have not.
SLOW = (*PROGRAMS, "tests/english/", "tests/fuzz/", "tests/demo/", "tests/whatif/", "tests/app/",
        "tests/language/test_suites.py", "tests/analysis/test_diagnosis.py", "tests/analysis/test_label_words.py",
        "tests/analysis/test_relatedness.py", "tests/test_findings.py", "tests/test_library.py",
        "tests/test_container.py", "tests/trackers/", "tests/executors/test_ray.py",
        "tests/backbone/test_adapters.py", "tests/exchange/test_carry.py",
        *(f"tests/training/test_{name}.py" for name in ("fleets", "checkpoint", "experiment", "watch", "snapshots",
                                                  "phases")),
        *(f"tests/runs/test_{name}.py" for name in ("damage", "lease", "drain", "bundle", "worker", "points",
                                              "starts")),
        *(f"tests/cli/test_{name}.py" for name in ("export", "commands", "whatif_command", "study")))
QUICK = ("tests/app/show/", "tests/app/test_terms.py")
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"}  # audit events
_started: list[str] = []  # what started since the test began

NOUNS = ("baker", "river", "lantern", "sister", "garden", "engine", "letter", "window", "teacher", "harbour")
VERBS = ("finds", "paints", "carries", "watches", "repairs", "forgets", "follows", "opens")
ADJECTIVES = ("quiet", "bright", "broken", "gentle", "old", "heavy", "warm", "hollow")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where two processes share the tests, as in `make test`, a file's stay together, and so do those of PROGRAMS."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "programs" if nodeid.startswith(PROGRAMS) else nodeid.partition("::")[0]

    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the folders of SLOW. Where processes share the tests, PROGRAMS go first, as the longest."""
    for item in items:
        if item.nodeid.startswith(SLOW) and not item.nodeid.startswith(QUICK):
            item.add_marker("slow")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(PROGRAMS))


def pytest_configure() -> None:
    sys.addaudithook(lambda event, details: _started.append(f"{event}: {details}") if event in STARTS else None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many random inputs each test of tests/fuzz/ tried, and how they ended."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, said in report.user_properties:
            if name == "fuzz":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {said}")


def pytest_unconfigure() -> None:
    """Removes the home folder of the tests that did not ask for their own."""
    shutil.rmtree(os.environ["COMPT_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    """Seeds the global generators, torch's only where a test has loaded torch (a page's thread may be half-way)."""
    random.seed(0)
    for name, seed in (("numpy.random", "seed"), ("torch", "manual_seed")):
        getattr(sys.modules.get(name), seed, lambda number: None)(0)


@pytest.fixture(autouse=True)
def _a_test_that_starts_a_process_is_slow(request: pytest.FixtureRequest) -> Iterator[None]:
    """So that `make quick` starts none."""
    _started.clear()
    yield
    if _started and not request.node.get_closest_marker("slow"):
        pytest.fail(f"This test started a process ({_started[0]:.200}); mark it with pytest.mark.slow.")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, which COMPT_HOME names for this test and its child processes."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("COMPT_HOME", str(folder))
    return folder


@pytest.fixture
def store(home: Path) -> Iterator[Any]:
    """The store of this test's home."""
    from compt_core.runs.store import Store

    opened = Store(home)
    yield opened
    opened.close()


@pytest.fixture
def version_4(home: Path) -> Path:
    """This test's home with a store that schema 4 left, see the file: experiment 'pzev2ag0ok' of two runs, and
    'oldgoneexp' on a task that no table has any more. Prompts and label scores are made up."""
    import sqlite3
    from contextlib import closing

    import numpy as np

    from compt_core.runs.artifacts import Artifacts

    home.mkdir(exist_ok=True)
    with closing(sqlite3.connect(home / "compt.db")) as raw:
        raw.executescript((Path(__file__).parent / "runs" / "version_4.sql").read_text())
        raw.execute("PRAGMA journal_mode=WAL")
    draw = np.random.default_rng(4)
    source, private, composed = (draw.normal(size=(3, 5, 64)).astype(np.float32) for _ in range(3))
    for run, third in (("ooauaeryxx", "demo-follows"), ("gn470shri0", "demo-follows"), ("oldgonerun", "gone-task")):
        own = {"private": private, "composed": private} if run == "ooauaeryxx" else \
            {"source": source, "private": private, "composed": composed}
        scores = {name: draw.normal(size=(60, labels)).astype(np.float32)
                  for name, labels in (("demo-mood", 2), (third, 2), ("demo-stsb", 26))}
        Artifacts(home).write_results(run, own, scores, None)
    return home


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a randomly initialised T5 and its tokenizer, as save_pretrained writes them.

    H = 24, heads 3 x 7, inner 40, two encoder layers and one decoder layer: all sizes differ, so that
    a swapped axis fails. The model's vocabulary is larger than the tokenizer's, as with the real T5.
    """
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("tiny-t5")
    tokenizer = _tokenizer()
    config = T5Config(
        vocab_size=len(tokenizer) + 5, d_model=24, d_kv=7, num_heads=3, d_ff=40, num_layers=2, num_decoder_layers=1,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = T5ForConditionalGeneration(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer():
    """Unigram with the sentences' words as pieces and single characters below: no text is unknown.

    Label words are partly whole (``▁positive``), partly cut (``▁not`` ``_`` ``entailment``), as with T5.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    whole = [f"▁{word}" for word in ("the", "a", "sentence", *NOUNS, *VERBS, *ADJECTIVES)]
    whole += ["▁positive", "▁negative", "▁entailment", "▁neutral", "▁not", "▁acceptable", "entailment", "equivalent"]
    characters = ["▁", *(chr(code) for code in range(33, 127))]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)]
    pieces += [(piece, -3.0) for piece in whole] + [(piece, -9.0) for piece in characters]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512)


@pytest.fixture(scope="session")
def glue_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A --data-dir with made-up rows of all eight GLUE tasks: TASK/{train,dev}.tsv, 48 and 20 rows.

    Labels are balanced in train, uneven in dev, and no row stands twice. One dev sentence per task is
    much longer than the others, one text holds a stray quotation mark.
    """
    folder = tmp_path_factory.mktemp("glue")
    for task, (columns, labels) in GLUE_FILES.items():
        draw = random.Random(task)
        seen: set[tuple[str, ...]] = set()
        for split, count in (("train", TRAIN_ROWS), ("dev", DEV_ROWS)):
            lines = ["\t".join((*columns, "label"))]
            for number in range(count):
                texts = _texts(draw, len(columns), seen, long=split == "dev" and number == 3)
                lines.append("\t".join((*texts, _label(draw, labels, split, number))))
            (folder / task).mkdir(exist_ok=True)
            (folder / task / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _label(draw: random.Random, labels: tuple[str, ...], split: str, number: int) -> str:
    if not labels:  # STS-B: gold values need not be multiples of .2
        return f"{draw.uniform(0, 5):.3f}"
    return labels[number % len(labels)] if split == "train" else labels[number % 3 % len(labels)]


def _texts(draw: random.Random, count: int, seen: set[tuple[str, ...]], *, long: bool) -> tuple[str, ...]:
    """`count` sentences that no other row of the task has."""
    while True:
        texts = tuple(" and ".join(_clause(draw) for _ in range(30 if long else 1)) + " ." for _ in range(count))
        if texts not in seen:
            if len(seen) == 5:
                texts = (texts[0].replace(" ", ' "', 1), *texts[1:])
            seen.add(texts)
            return texts


def _clause(draw: random.Random) -> str:
    subject, thing = draw.sample(NOUNS, 2)
    return f"the {draw.choice(ADJECTIVES)} {subject} {draw.choice(VERBS)} a {draw.choice(ADJECTIVES)} {thing}"


@pytest.fixture(scope="session")
def backbone(tiny_t5: Path):
    """The tiny T5, loaded as the project loads it: float32 on the CPU."""
    from compt_core.backbone.load import find_backbone, load_backbone

    return load_backbone(find_backbone(str(tiny_t5)), "cpu")


@pytest.fixture(scope="session")
def backbone64(tiny_t5: Path):
    """The tiny T5 in float64, where rounding cannot hide a mistake; its prompts are float64 too."""
    from compt_core.backbone.load import find_backbone, load_backbone

    loaded = load_backbone(find_backbone(str(tiny_t5)), "cpu")
    loaded.model.double()
    return loaded
