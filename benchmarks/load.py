"""How the dashboard answers under load. ``python benchmarks/load.py [--help]``

Visitors here are what a browser's front end is to the server: a socket each, that asks for a page and then
for the page's live part as often as the server said. (a) Runs and Accuracy of an experiment of 500 finished
runs: seconds from the question to the end of the script. (b) A store of 10,000 runs: seconds of the queries
that pages make. (c) A live run with nobody and with 20 watching, in turn: time of a page script, and the
rate of training with viewers over the rate without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from setting import ROOT
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from compt_core.exchange.bundle import import_bundles
from compt_core.runs.ids import new_id
from compt_core.runs.record import Left, State
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment

SETTLE_SECONDS: Final = 10.0  # until all viewers have the page
PATIENCE: Final = 20.0  # seconds for an answer
LOOK_SECONDS: Final = 0.25  # how often the rate of training is read


@contextmanager
def dashboard(home: Path, worker: str) -> Iterator[str]:
    """Address of a dashboard over `home`, without "http://"."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"COMPT_HOME": str(home), "COMPT_WORKER": worker, "COMPT_DEMO_RUNS": "off"}
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "main.py"), "--server.port", str(port)]
    with (home / "server.log").open("w") as log, subprocess.Popen(
            command, env=environment, stdout=log, stderr=log) as server:
        try:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


class Visitor:
    """One browser window: opens a page, and keeps its live part live."""

    def __init__(self, address: str, page: str, query: str):
        self.address, self.page, self.query = address, page, query
        self.hash = ""  # of the page, as the server calls it
        self.first = 0.0  # seconds of the page's own script
        self.ticks: list[float] = []  # seconds of each refresh of the live part
        self.errors: list[str] = []

    async def visit(self, seconds: float) -> None:
        """Opens the page and looks at it for a while."""
        async with connect(f"ws://{self.address}/_stcore/stream", origin=f"http://{self.address}",  # type: ignore[arg-type]
                           subprotocols=["streamlit"], max_size=None) as wire:  # type: ignore[list-item]
            asked = time.perf_counter()
            live = await self._ask(wire, BackMsg())
            self.first = time.perf_counter() - asked
            end = time.monotonic() + seconds
            while live is not None and time.monotonic() < end:
                await asyncio.sleep(live[0])
                message = BackMsg()
                message.rerun_script.fragment_id, message.rerun_script.is_auto_rerun = live[1], True
                asked = time.perf_counter()
                live = await self._ask(wire, message) or live
                self.ticks.append(time.perf_counter() - asked)
            await asyncio.sleep(max(0.0, end - time.monotonic()))

    async def _ask(self, wire: ClientConnection, message: BackMsg) -> tuple[float, str] | None:
        """Sends a question and waits for the end of the script; (seconds, fragment) where it refreshes itself."""
        message.rerun_script.query_string, message.rerun_script.page_name = self.query, self.page
        message.rerun_script.page_script_hash = self.hash
        await wire.send(message.SerializeToString())
        live = None
        while True:
            try:
                answer = ForwardMsg.FromString(await asyncio.wait_for(wire.recv(), PATIENCE))  # type: ignore[arg-type]
            except TimeoutError:
                self.errors.append(f"no answer in {PATIENCE} s")
                return None
            kind = answer.WhichOneof("type")
            if kind == "navigation":
                self.hash = answer.navigation.page_script_hash
            elif kind == "auto_rerun":
                live = answer.auto_rerun.interval, answer.auto_rerun.fragment_id
            elif kind == "delta" and answer.delta.WhichOneof("type") == "new_element" and \
                    answer.delta.new_element.WhichOneof("type") == "exception":
                self.errors.append(answer.delta.new_element.exception.message)
            elif kind == "script_finished" and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return live


def fill(store: Store, seeds: int) -> str:
    """An experiment of 20 x `seeds` finished runs, copied from the bundled grid of `demo`."""
    import_bundles(store)
    source = next(record for record in store.experiments() if record.config["tasks"][0] == "demo-mood")
    grid = store.runs(source.id)
    config = source.config | {"seeds": list(range(seeds))}
    copies, left = [], []
    made = replace(source, id=new_id(), owner="local", config=config, created=time.time())
    for run in grid:
        if run.seed == 0:
            curves = {kind: store.events(run.id, kind) for kind in ("loss", "task_loss", "attention", "gates")}
            for seed in range(seeds):
                copies.append(replace(run, id=new_id(), owner="local", experiment=made.id, seed=seed,
                                      config=run.config | {"seed": seed}))
                left.append(Left(store.prompts(run.id), store.scores(run.id), curves) if seed == 0 else
                            Left({}, {}, curves))
    store.restore(made, copies, left)
    return made.id


def pages(seeds: int) -> None:
    """Part (a)."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        identity = fill(store, seeds)
        count = len(store.runs(identity))
        with dashboard(store.home, "off") as address:
            asyncio.run(Visitor(address, "", "").visit(0))  # imports
            for page in ("runs", "accuracy"):
                seen = [Visitor(address, page, f"exp={identity}") for _ in range(6)]
                for visitor in seen:
                    asyncio.run(visitor.visit(0))
                times = [visitor.first for visitor in seen]
                print(f"{page} of {count} finished runs: first {times[0]:.2f} s, then "
                      f"{statistics.median(times[1:]):.2f} s (median of 5, new visitors); "
                      f"errors: {sum(len(visitor.errors) for visitor in seen)}")


def queries(runs: int) -> None:
    """Part (b)."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        experiment = build_experiment({"methods": ["pt", "mst", "spp", "scp"], "seeds": "0-99"}, preset="demo")
        made = [store.submit(experiment, owner=f"owner {number % 5}") for number in range(runs // 400)]
        with store._database.write() as connection:
            connection.exec_driver_sql(
                "UPDATE runs SET state = 'completed', result = '{\"mean\": 0.5}' WHERE number % 10")
        last = next(run.id for run in store.runs(made[-1]) if run.state == State.QUEUED)
        asked: dict[str, Callable[[], object]] = {
            "the 50 newest experiments": store.experiments, "one run": lambda: store.run(last),
            "an experiment's 400 runs": lambda: store.runs(made[0]),
            "position in the queue": lambda: store.position(last),
            "paces": store.paces, "requests of a fleet": lambda: store.requests("nobody"),
            "open the store": lambda: Store(store.home).close(), "claim a fleet": store.claim,
        }
        for name, ask in asked.items():
            begun = time.perf_counter()
            ask()
            print(f"{runs} runs, {name}: {1000 * (time.perf_counter() - begun):.1f} ms")


def rate(store: Store, identity: str, seconds: float) -> float:
    """Steps per second of a run over a while."""
    seen: list[tuple[float, int]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run = store.runs(identity)[0]
        if run.heartbeat is not None and (not seen or run.step > seen[-1][1]):
            seen.append((run.heartbeat, run.step))
        time.sleep(LOOK_SECONDS)
    return (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])


async def crowd(visitors: Sequence[Visitor], seconds: float) -> None:
    """All at once."""
    await asyncio.gather(*(visitor.visit(seconds) for visitor in visitors))


def live(viewers: int, seconds: float, rounds: int) -> None:
    """Part (c)."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        identity = store.submit(build_experiment({"steps": 1_000_000}, preset="demo"))
        with dashboard(store.home, "thread") as address:
            asyncio.run(Visitor(address, "", "").visit(0))  # the first visitor starts the worker
            while not store.runs(identity)[0].step:
                time.sleep(0.5)
            rates: dict[int, list[float]] = {0: [], viewers: []}
            seen: list[Visitor] = []
            for _ in range(rounds):
                rates[0].append(rate(store, identity, seconds))
                watching = [Visitor(address, "runs", f"exp={identity}") for _ in range(viewers)]
                script = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); import load; " \
                         f"load.watch({address!r}, {identity!r}, {viewers}, {seconds + SETTLE_SECONDS})"
                with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
                    time.sleep(SETTLE_SECONDS)  # until all have the page
                    rates[viewers].append(rate(store, identity, seconds))
                    told = json.loads(process.communicate()[0])
                for visitor, one in zip(watching, told, strict=True):
                    visitor.first, visitor.ticks, visitor.errors = one["first"], one["ticks"], one["errors"]
                seen += watching
            for run in store.runs(identity):
                store.request(run.id, "cancel")
        ticks = [tick for visitor in seen for tick in visitor.ticks]
        shares = [beside / alone for alone, beside in zip(rates[0], rates[viewers], strict=True)]
        each = rounds * viewers * (seconds + SETTLE_SECONDS) / max(1, len(ticks))
        print(f"{viewers} viewers of 4 live runs, {rounds} rounds of {seconds:.0f} s: "
              f"page {statistics.median(one.first for one in seen):.2f} s (median), "
              f"live part {1000 * statistics.median(ticks):.0f} ms (median), "
              f"{1000 * statistics.quantiles(ticks, n=20)[-1]:.0f} ms (95%), every {each:.1f} s per viewer; "
              f"errors: {sum(len(one.errors) for one in seen)}")
        print(f"training with {viewers} viewers over training with none: {statistics.median(shares):.2f} "
              f"({', '.join(f'{share:.2f}' for share in shares)}); "
              f"{statistics.median(rates[0]):.2f} steps a second with none")


def watch(address: str, identity: str, viewers: int, seconds: float) -> None:
    """The viewers of part (c), in a process of their own; prints what they saw as JSON."""
    visitors = [Visitor(address, "runs", f"exp={identity}") for _ in range(viewers)]
    asyncio.run(crowd(visitors, seconds))
    print(json.dumps([{"first": v.first, "ticks": v.ticks, "errors": v.errors} for v in visitors]))


def main() -> None:
    """Run the parts and print their figures."""
    parser = argparse.ArgumentParser(prog="python benchmarks/load.py", description=main.__doc__)
    parser.add_argument("--only", default="abc")
    parser.add_argument("--seeds", type=int, default=25, help="of part (a): 20 runs each")
    parser.add_argument("--runs", type=int, default=10_000, help="of part (b)")
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each round of part (c)")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    parts: dict[str, Callable[[], Any]] = {
        "a": lambda: pages(given.seeds), "b": lambda: queries(given.runs),
        "c": lambda: live(given.viewers, given.seconds, given.rounds)}
    for name in given.only:
        parts[name]()


if __name__ == "__main__":
    main()
