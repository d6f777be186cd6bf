"""Where the project keeps what it makes. Loads no torch."""

from __future__ import annotations

import os
from pathlib import Path


def home_folder() -> Path:
    """``COMPT_HOME``, or ``.compt`` in the project's root."""
    given = os.environ.get("COMPT_HOME", "").strip()
    return Path(given).expanduser().absolute() if given else Path(__file__).resolve().parents[1] / ".compt"
