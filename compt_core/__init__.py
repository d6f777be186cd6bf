"""The core of ComPT Lab: compositional prompt tuning of a frozen T5. Knows nothing of the dashboard.

For notebooks and scripts, `run`, `load` and `experiments` are those of :mod:`compt_core.library`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "experiments", "load", "run"]


def __getattr__(name: str) -> Any:
    """The library, loaded when it is first asked for: the commands start without it."""
    if name in ("run", "load", "experiments"):
        return getattr(import_module("compt_core.library"), name)
    raise AttributeError(f"module 'compt_core' has no attribute {name!r}")
