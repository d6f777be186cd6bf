"""The trackers by name, what each needs, and where it writes. Loads none of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from compt_core.errors import ConfigError, Issue
from compt_core.trackers.tracker import Tracker

FOLDER = "track"  # in the home


@dataclass(frozen=True)
class Kind:
    """A tracker: its title, the package that it needs, and the class that speaks to it, as module:class."""

    title: str
    package: str
    made_by: str
    look: str  # how to look at what it wrote; {folder} is its folder


TRACKERS = {
    "tensorboard": Kind("TensorBoard", "tensorboard", "compt_core.trackers.tensorboard:TensorBoard",
                        "tensorboard --logdir {folder}"),
    "mlflow": Kind("MLflow", "mlflow", "compt_core.trackers.mlflow:MLflow",
                   "mlflow ui --backend-store-uri sqlite:///{folder}/mlflow.db"),
    "trackio": Kind("Trackio", "trackio", "compt_core.trackers.trackio:Trackio", "TRACKIO_DIR={folder} trackio show"),
    "wandb": Kind("Weights & Biases", "wandb", "compt_core.trackers.wandb:WandB",
                  "wandb sync {folder}/wandb/offline-*"),
}


def check(names: Iterable[str]) -> None:
    """Raises ConfigError where a tracker's package is not installed."""
    missing = [TRACKERS[name].package for name in names if find_spec(TRACKERS[name].package) is None]
    if missing:
        raise ConfigError([Issue("track", f"The package {missing[0]!r} is not installed, so nothing can be tracked "
                                          "with it. Install it with '.venv/bin/python -m pip install -r "
                                          "requirements-track.txt', or leave it out of 'track'.")])


def made(name: str, home: Path) -> Tracker:
    """A tracker that writes into its folder of the home, unless its own environment variables say otherwise."""
    module, _, kind = TRACKERS[name].made_by.partition(":")
    folder = home / FOLDER / name
    os.makedirs(folder, exist_ok=True)
    found: Tracker = getattr(import_module(module), kind)(folder)
    return found
