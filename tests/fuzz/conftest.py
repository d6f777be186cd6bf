"""What holds for every fuzzer: nothing is fetched."""

from __future__ import annotations

import pytest

from compt_core.backbone import english
from compt_core.errors import BackboneError


@pytest.fixture(autouse=True)
def _fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that name the English backbone would download it."""
    def refuse(progress: object = None) -> None:
        raise BackboneError("The backbone 'english' is not fetched here.")

    monkeypatch.setattr(english, "fetch", refuse)
