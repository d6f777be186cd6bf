"""Choose the rows of the selection `english`. ``python benchmarks/english_rows.py DIR``

DIR has a folder with train and dev files for each task. Writes assets/english-rows.json: fingerprints of 512 training
rows and 300 dev rows of each task, fewer where there are fewer, drawn by a fixed seed. A text is chosen once. A
training row is left out if its text is part of a dev text of any task, since SST-2 consists of pieces of sentences
that Rotten Tomatoes has as a whole.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from typing import Final

from setting import CATALOGUE, ROOT, load_task

from compt_core.settings.presets import ENGLISH_TASKS
from compt_core.streams import stream
from compt_core.tasks.selections import collapsed, fingerprint
from compt_core.tasks.spec import Row

ROWS: Final = {"train": 512, "dev": 300}


def plain(row: Row) -> str:
    """Its letters and digits alone, so that copies that differ in marks are found."""
    return " ".join(re.sub(r"\W+", "", text.lower()) for text in row.texts)


def draw(rows: Iterable[Row], task: str, split: str) -> list[Row]:
    """Rows of a split in the order of a fixed draw, each text once."""
    once = list({collapsed(row).texts: row for row in rows if all(map(str.strip, row.texts))}.values())
    return [once[i] for i in stream(0, "english rows", task, split).permutation(len(once))]


def main() -> None:
    """Choose rows and write their fingerprints."""
    parser = argparse.ArgumentParser(prog="python benchmarks/english_rows.py", description=main.__doc__)
    parser.add_argument("folder")
    given = parser.parse_args()
    data = {name: load_task(CATALOGUE[name], given.folder) for name in ENGLISH_TASKS}
    dev = {name: draw(one.dev, name, "dev")[:ROWS["dev"]] for name, one in data.items()}
    scored = "\n".join(plain(row) for rows in dev.values() for row in rows)
    written = {}
    for name, one in data.items():
        train = [row for row in draw(one.train, name, "train")[:4 * ROWS["train"]] if plain(row) not in scored]
        chosen = {"train": train[:ROWS["train"]], "dev": dev[name]}
        written[name] = {split: "".join(map(fingerprint, rows)) for split, rows in chosen.items()}
        print(f"{name}: {len(chosen['train'])} training rows and {len(chosen['dev'])} dev rows")
    path = ROOT / "assets" / "english-rows.json"
    path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
