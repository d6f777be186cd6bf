"""What a store of very many runs costs: its size, and how long pages and the worker wait for it.

    python benchmarks/many_runs.py [--runs 10000,100000] [--help]

Copies one bundled experiment again and again, 100 runs in each, without curves and prompts, which lie beside each run.
Then asks what every page asks. Each time is the median of five in this process; the smallest store is the peer.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import setting  # noqa: F401  # makes compt_core importable from anywhere

from compt_core.exchange.bundle import import_bundles
from compt_core.runs.ids import new_id
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment

EACH = 100  # runs of an experiment
REPEATS = 5


def fill(file: Path, wanted: int) -> None:
    """Copies the first experiment of a store until it has so many runs."""
    connection = sqlite3.connect(file)
    [experiment] = connection.execute("SELECT * FROM experiments ORDER BY number LIMIT 1").fetchall()
    columns = [row[1] for row in connection.execute("PRAGMA table_info(experiments)")]
    names = [row[1] for row in connection.execute("PRAGMA table_info(runs)")]
    rows = connection.execute("SELECT * FROM runs WHERE experiment = ? ORDER BY number LIMIT ?", (
        experiment[columns.index("id")], EACH)).fetchall()
    [have] = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
    with connection:
        for _ in range(0, wanted - have, EACH):
            identity = new_id()
            first = list(experiment)
            first[columns.index("number")], first[columns.index("id")] = None, identity
            connection.execute(f"INSERT INTO experiments VALUES ({','.join('?' * len(columns))})", first)
            connection.executemany(f"INSERT INTO runs VALUES ({','.join('?' * len(names))})",
                                   copies(rows, names, identity))
    connection.close()


def copies(rows: list[tuple[Any, ...]], names: list[str], experiment: str) -> Iterator[list[Any]]:
    """The rows with ids of their own, in another experiment and a fleet of their own."""
    fleet = new_id()
    for row in rows:
        own = list(row)
        own[names.index("number")], own[names.index("id")] = None, new_id()
        own[names.index("experiment")], own[names.index("fleet")] = experiment, fleet
        yield own


def seconds(ask: Callable[[], object]) -> float:
    """The median time of a question."""
    found = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        ask()
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


def questions(store: Store) -> dict[str, Callable[[], object]]:
    """What is asked of a store: by pages, by the worker, by a submission."""
    newest = store.experiments(1)[0].id
    run = store.runs(newest)[0].id
    experiment = build_experiment({"tasks": ["demo-mood"], "methods": ["pt"], "shots": [4], "steps": 1})
    owners = count()
    return {
        "the 50 newest experiments (Home)": lambda: store.experiments(50),
        "an experiment's runs (every page)": lambda: store.runs(newest),
        "one run (What-if)": lambda: store.run(run),
        "which runs train (every page)": store.running,
        "paces for an estimate (Launch)": store.paces,
        "submit one run": lambda: store.submit(experiment, owner=f"owner {next(owners)}"),
        "claim a fleet (worker)": store.claim,
    }


def main() -> None:
    """Print sizes and times for each number of runs."""
    parser = argparse.ArgumentParser(prog="python benchmarks/many_runs.py", description=main.__doc__)
    parser.add_argument("--runs", default="1000,10000,100000")
    sizes = [int(text) for text in parser.parse_args().runs.split(",")]
    home, first = Path(tempfile.mkdtemp(prefix="compt-many-")), dict[str, float]()
    try:
        store = Store(home)
        import_bundles(store)
        store.close()
        for size in sizes:
            begun = time.perf_counter()
            fill(home / "compt.db", size)
            store = Store(home)
            opened = time.perf_counter() - begun
            bytes_ = sum(path.stat().st_size for path in home.glob("compt.db*"))
            print(f"{size:,} runs: {bytes_ / 1e6:,.0f} MB, {bytes_ / size / 1e3:.1f} kB a run; filled in {opened:.0f} "
                  "s", flush=True)
            for name, ask in questions(store).items():
                took = seconds(ask)
                print(f"  {name:40} {1000 * took:9.1f} ms   x {took / first.setdefault(name, took):.1f}", flush=True)
            store.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
