"""The upload of an exported experiment on the page Runs: it opens there, or a sentence says why not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from compt_core.exchange import bundle, carry
from compt_core.runs.store import Store


def taken(visit: Callable[..., AppTest], data: bytes) -> AppTest:
    app = visit("runs")
    app.session_state["bring"] = True
    app.run()
    app.file_uploader[0].upload("it.zip", data, "application/zip").run()
    return app.button(key="bring_it").click().run()


def test_an_upload_is_opened(visit: Callable[..., AppTest], store: Store, tmp_path: Path,
                             monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delenv("COMPT_DEMO_RUNS")
        (tmp_path / "bundled").mkdir()
        for ending in ("json", "safetensors.gz"):
            (tmp_path / f"bundled/english.{ending}").symlink_to(bundle.FOLDER / f"english.{ending}")
        other = Store(tmp_path / "other")
        bundle.import_bundles(other, tmp_path / "bundled")
    [one] = other.experiments()
    with (tmp_path / "it.zip").open("wb") as file:
        carry.pack(other, one.id, file)
    other.close()
    broken = taken(visit, b"PK")
    assert not broken.exception and "The uploaded file cannot be imported" in re.sub(r"\\", "", broken.error[0].value)
    app = taken(visit, (tmp_path / "it.zip").read_bytes())
    assert not app.exception and one.id in app.success[0].value and one.id in app.query_params["exp"]
