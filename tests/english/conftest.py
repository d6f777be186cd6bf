"""The English T5 that `.ci/setup.sh test` keeps in .cache/english, and the same folder as transformers loads it.

Where there is none, because PyPI could not be reached, these tests are skipped; where there is one, they run.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from compt_core.tasks.spec import Row

FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "english"
# (things, what is said of them) for short reviews: half are good.
THINGS = ("The film", "This book", "The acting", "Her new song", "The plot of the second part")
GOOD = ("was wonderful", "is a great joy", "made me smile", "is excellent in every way", "was beautiful and moving",
        "is the best I know", "was really good", "deserves a prize", "was fun from start to end", "is perfect")
BAD = ("was terrible", "is a complete waste of time", "made me angry", "is boring in every way", "was ugly and stupid",
       "is the worst I know", "was really bad", "deserves no praise", "was dull from start to end", "is awful")


@pytest.fixture(scope="session")
def english_folder() -> Path:
    """The folder."""
    if not FOLDER.is_dir():
        pytest.skip("There is no English T5 in .cache/english. '.ci/setup.sh test' fetches it where PyPI can be "
                    "reached.")
    return FOLDER


@pytest.fixture
def english_here(english_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For this test `--backbone english` is that folder; other tests of the process must find none."""
    monkeypatch.setenv("COMPT_ENGLISH", str(english_folder))


@pytest.fixture(scope="session")
def english(english_folder: Path) -> Any:
    """The backbone as the project loads it: float32 on the CPU."""
    from compt_core.backbone.load import find_backbone, load_backbone

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COMPT_ENGLISH", str(english_folder))
        return load_backbone(find_backbone("english"), "cpu")


@pytest.fixture(scope="session")
def peer(english_folder: Path) -> Any:
    """The same files as transformers loads and ties them."""
    from transformers import T5ForConditionalGeneration

    return T5ForConditionalGeneration.from_pretrained(english_folder).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def pieces(english_folder: Path) -> Callable[[str], list[int]]:
    """Text -> ids as transformers' own tokenizer gives them, without </s>."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(english_folder)
    return lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.fixture(scope="session")
def reviews() -> list[Row]:
    """100 short reviews: bad ones (label 0) and good ones (label 1)."""
    return [Row((f"{thing} {said[label]}.",), label, float(label))
            for thing, said in product(THINGS, zip(BAD, GOOD, strict=True)) for label in (0, 1)]
