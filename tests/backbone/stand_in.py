"""A hub on this machine, which answers in the hub's own formats: models, revisions, files, discussions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ID = "lab/tiny"


@dataclass
class Model:
    """A model "lab/tiny": a folder of files for each revision, and its discussions."""

    revisions: dict[str, Path]
    discussions: list[dict[str, Any]] = field(default_factory=list)
    card: dict[str, Any] = field(default_factory=dict)

    def commit(self, revision: str) -> str:
        return hashlib.sha1(f"{revision} {self.revisions[revision]}".encode()).hexdigest()

    def open(self, number: int, **changes: Any) -> None:
        """A pull request of the hub's bot, unless `changes` say otherwise."""
        self.discussions.append({
            "title": "Adding `safetensors` variant of this model", "num": number, "author": {"name": "SFconvertbot"},
            "createdAt": "2023-03-01T10:00:00.000Z", "status": "open", "repo": {"name": ID, "type": "model"},
            "isPullRequest": True} | changes)


class Hub(ThreadingHTTPServer):
    """The answers that a download needs. `fetched` and `asked` say what was fetched and which addresses were asked."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.fetched: list[str] = []
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Answers)

    @property
    def folder(self) -> Path:
        return self.model.revisions["main"]


class _Answers(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        model, split = self.server.model, urlsplit(self.path)
        path = split.path
        api = f"/api/models/{ID}"
        if path == api:
            self._about("main")
        elif path == f"{api}/discussions":
            wanted = {name: value for name, (value,) in parse_qs(split.query).items()}
            found = [one for one in model.discussions if wanted.get("status") in (None, one["status"])]
            self._json({"count": len(found), "start": 0, "discussions": found})
        elif path.startswith(f"{api}/revision/"):
            self._about(unquote(path.removeprefix(f"{api}/revision/")))
        elif path.startswith(f"{api}/tree/"):
            self._tree(unquote(path.removeprefix(f"{api}/tree/")))
        elif path.startswith(f"/{ID}/resolve/"):
            self._file(unquote(path.removeprefix(f"/{ID}/resolve/")))
        else:
            self._send(b"", {"X-Error-Code": "RepoNotFound"}, 404)

    do_HEAD = do_GET

    def _named(self, revision: str) -> str | None:
        """The name of a revision that is asked for by its name or its commit."""
        model = self.server.model
        return next((name for name in model.revisions if revision in (name, model.commit(name))), None)

    def _about(self, revision: str) -> None:
        name = self._named(revision)
        if name is None:
            self._send(b"", {"X-Error-Code": "RevisionNotFound"}, 404)
            return
        model = self.server.model
        siblings = [{"rfilename": file.name, "size": file.stat().st_size, "blobId": _blob(file)}
                    for file in sorted(model.revisions[name].iterdir())]
        self._json({"id": ID, "sha": model.commit(name), "siblings": siblings, "cardData": model.card,
                    "tags": [f"license:{model.card['license']}"] if "license" in model.card else []})

    def _tree(self, revision: str) -> None:
        name = self._named(revision)
        assert name is not None
        self._json([{"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _blob(file)}
                    for file in sorted(self.server.model.revisions[name].iterdir())])

    def _file(self, rest: str) -> None:
        model = self.server.model
        for name in model.revisions:
            for spelled in (name, model.commit(name)):
                file = model.revisions[name] / rest.removeprefix(f"{spelled}/")
                if rest.startswith(f"{spelled}/") and file.is_file():
                    if self.command == "GET":
                        self.server.fetched.append(file.name)
                    self._send(file.read_bytes(), {"ETag": f'"{_blob(file)}"', "X-Repo-Commit": model.commit(name)})
                    return
        self._send(b"", {"X-Error-Code": "EntryNotFound"}, 404)

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


def _blob(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()
