"""A checkpoint to spoil, what is said of it, and small models of sentencepiece."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stand_in import Hub, Model

from compt_core.backbone.load import find_backbone
from compt_core.errors import BackboneError


@pytest.fixture
def copy(tiny_t5: Path, tmp_path: Path) -> Path:
    """A copy of the tiny T5 to spoil."""
    return Path(shutil.copytree(tiny_t5, tmp_path / "t5"))


@pytest.fixture
def settings() -> Callable[..., None]:
    """Changes config.json of a folder; None removes a line."""
    def change(folder: Path, **changes: object) -> None:
        file = folder / "config.json"
        config = json.loads(file.read_text()) | changes
        file.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))

    return change


@pytest.fixture
def problem() -> Callable[[object], str]:
    """The one line with which a backbone is refused."""
    def say(ref: object) -> str:
        with pytest.raises(BackboneError) as caught:
            find_backbone(str(ref))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return say


@pytest.fixture(scope="session")
def spieces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small models of sentencepiece, trained on the project's own texts with the settings of T5's ("t5") and of mT5's
    ("mt5": bytes for rare characters, and its extra ids among its pieces)."""
    import sentencepiece

    folder, root = tmp_path_factory.mktemp("spieces"), Path(__file__).resolve().parents[2]
    (folder / "texts.txt").write_text("\n".join(file.read_text() for file in sorted(root.glob("*.md"))))
    for name, more in (("t5", {"character_coverage": 0.999}),
                       ("mt5", {"character_coverage": 0.99, "byte_fallback": True,
                                "control_symbols": [f"▁<extra_id_{number}>" for number in reversed(range(100))]})):
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / "texts.txt"), model_prefix=str(folder / name), vocab_size=700, model_type="unigram",
            pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2, num_threads=1, **more)
    return {name: folder / f"{name}.model" for name in ("t5", "mt5")}


@pytest.fixture
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The hub's client as it is outside of tests, with an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.fixture
def at(online: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Puts the hub at a port of this machine."""
    def put(port: int) -> None:
        online.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
        online.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
                       f"http://127.0.0.1:{port}/{{repo_id}}/resolve/{{revision}}/{{filename}}")

    return put


@pytest.fixture
def local_hub(copy: Path, at: Callable[[int], None]) -> Iterator[Hub]:
    """A hub on this machine that holds the tiny T5 as "lab/tiny" with, beside it, pickled weights and code."""
    (copy / "pytorch_model.bin").write_bytes(b"pickle")
    (copy / "modeling.py").write_text("raise SystemExit('code of a checkpoint ran')")
    with Hub(Model({"main": copy})) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        at(server.server_port)
        yield server
        server.shutdown()
        thread.join()
