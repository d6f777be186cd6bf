"""Fleets on other machines: each fleet is a task of a Ray cluster, with its events, requests and checkpoints sent back.

The driver, which has the lease and the store, ships what a fleet needs: this package, settings, the rows of its tasks,
and the backbone by its digest, which each node keeps in a folder. The libraries must be there. A fleet whose node dies
goes on elsewhere from its last checkpoint. Only the driver's reporter writes to the store.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from compt_core.errors import ComptError, ConfigError, Issue, quoted
from compt_core.settings.config import RunConfig
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.spec import TaskData
from compt_core.training.events import Ask, Checkpoint, Control, Event, Keeper, Log, OnEvent, Outcome, Started

CONNECT_SECONDS = 10.0  # to find out that an address does not answer
POLL_SECONDS = 0.2  # how often the driver takes what fleets have sent
SEND_SECONDS, SEND_ITEMS = 0.5, 200  # when a fleet sends what it has
TRIES = 5  # how often a fleet is begun again after its node died
CACHE = "COMPT_NODE_CACHE"  # folder of a node for backbones; default: compt-backbones in its temporary folder
Item = tuple[str, Any]  # ("event", …), ("outcome", (run, outcome)), ("checkpoints", {run: checkpoint}), ("node", name)


def connect(address: str) -> str:
    """Connects this process to a cluster: ``auto``, ``HOST:PORT``, or ``local`` for one in this machine; says what is
    there. Raises ConfigError within CONNECT_SECONDS where nothing answers, or Ray is not installed."""
    try:
        import ray
    except ImportError:
        raise ConfigError([Issue("executor", "The package 'ray' is not installed, so there is no executor ray. "
                                             "Install it with '.venv/bin/python -m pip install -r "
                                             "requirements-ray.txt'.")]) from None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address not in ("auto", "local"):
        try:
            socket.create_connection((host or "127.0.0.1", int(port)), CONNECT_SECONDS / 2).close()
        except (OSError, ValueError, OverflowError) as error:
            raise _no_answer(address, error) from None
    own = {"num_cpus": os.cpu_count(), "include_dashboard": False} if address == "local" else {"address": address}
    try:
        if not ray.is_initialized():
            ray.init(**own, log_to_driver=False, logging_level="error",
                     runtime_env={"py_modules": [str(Path(__file__).resolve().parents[1])]})
    except Exception as error:  # each way to fail has another type
        raise _no_answer(address, error) from None
    found = ray.cluster_resources()
    nodes = sum(one["Alive"] for one in ray.nodes())
    return f"{nodes} nodes, {found.get('CPU', 0):g} CPUs, {found.get('GPU', 0):g} GPUs"


def _no_answer(address: str, error: Exception) -> ConfigError:
    said = " ".join(str(error).split())[:160] or type(error).__name__
    return ConfigError([Issue("address", f"No Ray cluster answers at {quoted(address, 100)}: {said}. "
                                         "Start one with 'ray start --head', or give the address that it prints; "
                                         "'local' needs none.")])


class RayTrain:
    """A `Train` (runs.trainer) that trains a fleet as a Ray task; may be called by several threads at once.

    cpus, gpus  what each fleet asks the cluster for
    keep_seconds  from one checkpoint to the next
    """

    def __init__(self, cpus: int = 1, gpus: float = 0.0, keep_seconds: float = 10.0,
                 say: Callable[[str], None] = lambda line: None):
        self._cpus, self._gpus, self._keep_seconds, self._say = cpus, gpus, keep_seconds, say
        self._shipped: dict[str, Any] = {}  # digest -> reference of a backbone's files or of rows

    def __call__(self, configs: Mapping[str, RunConfig], on_event: OnEvent, control: Ask, *,
                 on_outcome: Callable[[str, Outcome], None], resume: Mapping[str, Checkpoint], keeper: Keeper,
                 tasks: Catalogue, starts: Mapping[str, Any]) -> Mapping[str, Outcome]:
        """Trains the runs; see `Train`. A fleet whose node died TRIES times raises ComptError."""
        import ray

        outcomes, kept = dict[str, Outcome](), dict(resume)
        first = next(iter(configs.values()))
        backbone, rows = self._ship(first, tasks)
        mailbox = ray.remote(_Mailbox).options(num_cpus=0, max_restarts=-1, scheduling_strategy=_here()).remote()
        train = ray.remote(_train).options(num_cpus=self._cpus, num_gpus=self._gpus, max_retries=0)
        for attempt in range(1, TRIES + 1):
            left = {run: config for run, config in configs.items() if run not in outcomes}
            work = train.remote(
                mailbox, left, backbone, rows, tasks, {run: one for run, one in kept.items() if run in left},
                {run: one for run, one in starts.items() if run in left}, self._keep_seconds, self._cpus)

            def take(items: Sequence[Item], left: Mapping[str, RunConfig] = left) -> None:
                for kind, item in items:
                    if kind == "event":
                        on_event(item)
                    elif kind == "node":
                        self._say(f"{', '.join(left)} on node {item}")
                    elif kind == "checkpoints":
                        kept.update(item)
                        keeper.keep(item)
                    else:
                        run, outcome = item
                        outcomes[run] = outcome
                        on_outcome(run, outcome)

            try:
                while not ray.wait([work], timeout=POLL_SECONDS)[0]:
                    take(ray.get(mailbox.take.remote()))
                    mailbox.steer.remote({run: control(run) for run in left if run not in outcomes})
                failed = ray.get(work)
                take(ray.get(mailbox.take.remote()))
                if failed is not None:
                    raise failed
                return outcomes
            except (ray.exceptions.RayTaskError, ray.exceptions.RayError) as error:
                with suppress(ray.exceptions.RayError):
                    take(ray.get(mailbox.take.remote(), timeout=CONNECT_SECONDS))
                at = max((one.step for run, one in kept.items() if run in left), default=0)
                lost = f"The node of this fleet was lost ({type(error).__name__})"
                for run in left:
                    if run not in outcomes:
                        on_event(Log(run, at, f"{lost}; it goes on elsewhere from step {at}."))
                self._say(f"{', '.join(left)}: {lost}, attempt {attempt} of {TRIES}")
            finally:
                with suppress(Exception):
                    ray.cancel(work, force=True)
        ray.kill(mailbox)
        raise ComptError(f"The nodes that trained this fleet were lost {TRIES} times. Look at the cluster ('ray "
                         "status'), then resume the runs.")

    def _ship(self, config: RunConfig, tasks: Catalogue) -> tuple[tuple[str, str, Any], Any]:
        """((name, digest, its files) of the backbone, the rows of all tasks) as references, each put there once."""
        import ray

        from compt_core.backbone.load import find_backbone
        from compt_core.planning.data import load_data

        files = find_backbone(config.backbone)
        digest = files.digest()
        if digest not in self._shipped:
            self._shipped[digest] = ray.put({path.name: path.read_bytes() for path in sorted(files.folder.iterdir())
                                             if path.suffix in (".json", ".safetensors", ".model")})
        data = load_data(config.tasks, config.data_dir, files, tasks)
        key = hashlib.sha256(repr([(one.task.name, one.digest) for one in data]).encode()).hexdigest()
        if key not in self._shipped:
            self._shipped[key] = ray.put(data)
        return (files.ref, digest, [self._shipped[digest]]), [self._shipped[key]]


def _here() -> Any:
    """On the driver's own node: it must not be lost with a node that trains."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


class _Mailbox:
    """An actor beside the driver: what a fleet sent and the driver has not taken yet, and what the driver wants."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._wanted: dict[str, Control] = {}

    def put(self, items: Sequence[Item]) -> dict[str, Control]:
        self._items += items
        return self._wanted

    def take(self) -> list[Item]:
        items, self._items = self._items, []
        return items

    def steer(self, wanted: Mapping[str, Control]) -> None:
        self._wanted = dict(wanted)


class _Sender:
    """Where a fleet trains: sends in batches, and remembers what the driver wants."""

    def __init__(self, mailbox: Any, keep_seconds: float):
        self._mailbox, self._items, self._wanted = mailbox, list[Item](), dict[str, Control]()
        self._sent = self._kept = time.monotonic()
        self._begun, self._keep_seconds = False, keep_seconds

    def on_event(self, item: Started | Event | Log) -> None:
        self._begun = self._begun or (isinstance(item, Event) and item.kind == "loss")
        self._items.append(("event", item))
        if len(self._items) >= SEND_ITEMS:
            self.send()

    def on_outcome(self, run: str, outcome: Outcome) -> None:
        error = outcome.error
        if error is not None:  # as text: its class may not be there, or not travel
            outcome = replace(outcome, error=error if isinstance(error, ComptError) else RuntimeError(
                f"{type(error).__name__}: {error}"))
        self._items.append(("outcome", (run, outcome)))
        self.send()

    def control(self, run: str) -> Control:
        if time.monotonic() - self._sent >= SEND_SECONDS:
            self.send()
        return self._wanted.get(run, "keep")

    def due(self, run: str) -> bool:
        return self._begun and time.monotonic() - self._kept >= self._keep_seconds

    def keep(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        self._items.append(("checkpoints", dict(checkpoints)))
        self.send()
        self._kept = time.monotonic()

    def send(self) -> None:
        import ray

        items, self._items = self._items, []
        self._wanted = ray.get(self._mailbox.put.remote(items))
        self._sent = time.monotonic()


def _train(mailbox: Any, configs: Mapping[str, RunConfig], backbone: tuple[str, str, Any], rows: Any, tasks: Catalogue,
           resume: Mapping[str, Checkpoint], starts: Mapping[str, Any], keep_seconds: float, cpus: int
           ) -> ComptError | None:
    """The task on a node: None, or the problem with backbone or data that ended the whole fleet."""
    import ray
    import torch

    from compt_core.backbone.load import load_backbone
    from compt_core.training.fleet_run import train_fleet

    torch.set_num_threads(max(1, cpus))
    sender = _Sender(mailbox, keep_seconds)
    sender._items.append(("node", ray.get_runtime_context().get_node_id()[:8]))
    try:
        data: tuple[TaskData, ...] = ray.get(rows[0])
        loaded = load_backbone(_files(*backbone))
        train_fleet(configs, sender.on_event, sender.control, on_outcome=sender.on_outcome, backbone=loaded,
                    load=lambda run: data, resume=resume, keeper=sender, tasks=tasks, starts=starts)
        return None
    except ComptError as error:
        return ComptError(str(error))
    finally:
        sender.send()


def _files(ref: str, digest: str, shipped: Any) -> Any:
    """The backbone's files on this node: its own where they are the same, else those that the driver sent, kept under
    their digest."""
    import ray

    from compt_core.backbone.files import check_folder
    from compt_core.backbone.load import find_backbone
    from compt_core.errors import BackboneError

    with suppress(BackboneError):
        found = find_backbone(ref, fetch=False)
        if found.digest() == digest:
            return found
    folder = Path(os.environ.get(CACHE) or Path(tempfile.gettempdir()) / "compt-backbones") / digest
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as part:
            whole = Path(part) / "files"
            whole.mkdir()
            for name, content in ray.get(shipped[0]).items():
                (whole / Path(name).name).write_bytes(content)
            with suppress(OSError):  # another fleet of this node was first
                whole.rename(folder)
    return check_folder(ref, folder)
