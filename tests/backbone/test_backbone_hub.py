"""Hub ids: fetched from a hub on this machine, and refused in seconds where none answers."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from compt_core.backbone import load as backbones
from compt_core.backbone.load import find_backbone, load_backbone
from compt_core.errors import BackboneError

SHA = "0123456789abcdef0123456789abcdef01234567"
Problem = Callable[[object], str]


class Hub(ThreadingHTTPServer):
    """The few answers of the hub that a download needs, for one model "lab/tiny" with the files of `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetched: list[str] = []
        super().__init__(("127.0.0.1", 0), _Answers)


class _Answers(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        files = sorted(self.server.folder.iterdir())
        path = self.path.partition("?")[0]
        name = path.rpartition("/")[2]
        if path in ("/api/models/lab/tiny", "/api/models/lab/tiny/revision/main"):
            self._json({"id": "lab/tiny", "sha": SHA, "siblings": [{"rfilename": file.name} for file in files]})
        elif path.startswith(f"/api/models/lab/tiny/tree/{SHA}"):
            self._json([{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": f.name} for f in files])
        elif path.startswith(f"/lab/tiny/resolve/{SHA}/") and (self.server.folder / name).is_file():
            if self.command == "GET":
                self.server.fetched.append(name)
            self._send((self.server.folder / name).read_bytes(), {"ETag": f'"{name}"', "X-Repo-Commit": SHA})
        else:
            self._send(b"", {"X-Error-Code": "RepoNotFound"}, 404)

    do_HEAD = do_GET

    def _json(self, value: object) -> None:
        self._send(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing on stderr."""


@pytest.fixture
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The hub's client as it is outside of tests, with an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def at(online: pytest.MonkeyPatch, port: int) -> None:
    """Puts the hub at a port of this machine."""
    online.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
    online.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
                   f"http://127.0.0.1:{port}/{{repo_id}}/resolve/{{revision}}/{{filename}}")


@pytest.fixture
def local_hub(copy: Path, online: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine that holds the tiny T5 with, beside it, pickled weights and code."""
    (copy / "pytorch_model.bin").write_bytes(b"pickle")
    (copy / "modeling.py").write_text("raise SystemExit('code of a checkpoint ran')")
    with Hub(copy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        at(online, server.server_port)
        yield server
        server.shutdown()
        thread.join()


def test_a_hub_id_is_downloaded_once_without_pickles_and_code(local_hub: Hub, online: pytest.MonkeyPatch) -> None:
    files = find_backbone("lab/tiny")
    assert files.hidden == 24
    assert {file.name for file in files.folder.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert load_backbone(files, "cpu").hidden == 24
    fetched = list(local_hub.fetched)
    assert find_backbone("lab/tiny") == files
    assert local_hub.fetched == fetched
    at(online, 9)  # where nobody answers
    assert find_backbone("lab/tiny") == files
    online.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert find_backbone("lab/tiny") == files


def test_without_fetching_the_hub_is_not_asked(local_hub: Hub, online: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name, answer in (("do_GET", _Answers.do_GET), ("do_HEAD", _Answers.do_HEAD)):
        online.setattr(_Answers, name, lambda self, answer=answer: asked.append(self.path) or answer(self))
    with pytest.raises(BackboneError, match=r"'lab/tiny' is not in the hub's cache .* with 'hf download lab/tiny'"):
        find_backbone("lab/tiny", fetch=False)
    assert not asked
    find_backbone("lab/tiny")
    assert asked


def test_what_is_in_the_cache_is_found_without_fetching(local_hub: Hub, online: pytest.MonkeyPatch) -> None:
    files, fetched = find_backbone("lab/tiny"), list(local_hub.fetched)
    online.setattr(backbones, "_download", lambda ref: pytest.fail(f"the hub was asked for {ref}"))
    assert find_backbone("lab/tiny", fetch=False) == files and local_hub.fetched == fetched


def test_a_model_that_the_hub_does_not_have_is_one_sentence(local_hub: Hub, problem: Problem) -> None:
    assert problem("lab/other") == "The hub has no public model 'lab/other'. Check the id, or give a local folder."
    assert problem("dmeo").endswith("Check the id, or give a local folder. Did you mean 'demo'?")


def test_a_hub_model_without_safetensors_is_refused(local_hub: Hub, problem: Problem) -> None:
    (local_hub.folder / "model.safetensors").unlink()
    assert "must hold its weights as .safetensors. Got none;" in problem("lab/tiny")


def test_a_hub_that_refuses_is_one_sentence_at_once(online: pytest.MonkeyPatch, problem: Problem) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at(online, free.getsockname()[1])
        start = time.monotonic()
        message = problem("lab/tiny")
    assert time.monotonic() - start < 30  # busy cores allowed for
    assert "'lab/tiny'" in message and "cannot be reached. Check the network, or download it elsewhere" in message


def test_a_hub_that_never_answers_is_given_up(online: pytest.MonkeyPatch, problem: Problem) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at(online, silent.getsockname()[1])
        online.setattr(backbones, "HUB_SECONDS", 0.2)
        assert "it cannot be reached" in problem("lab/tiny")


def test_offline_by_choice_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Problem) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert "could not be fetched from the hub: HF_HUB_OFFLINE is set." in problem("lab/tiny")
