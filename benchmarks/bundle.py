"""Put finished experiments among the bundled runs. ``COMPT_HOME=DIR python benchmarks/bundle.py NAME EXPERIMENT …``

Experiments that differ in their shot counts alone become one.

The bundled grids were trained on an empty home by ``python -m compt_core run --preset demo
--methods pt,mst,spp,scp --shots 4,8,16,32,64 --seeds 0-9`` and the same with ``--preset demo-glue``.
The English one was trained by ``python -m compt_core data fetch english`` and ``python -m compt_core run --preset
english --methods pt,mst,mpt,spp,scp --shots 16 --seeds 0-4``, then the same with ``--shots 64`` (each 40 to 75 minutes
on two cores).
"""

from __future__ import annotations

import argparse
import gzip

import setting  # noqa: F401  # makes compt_core importable from anywhere

from compt_core.exchange.bundle import FOLDER, write_bundle
from compt_core.runs.store import Store


def main() -> None:
    """Write assets/demo-runs/NAME.{json,safetensors.gz}."""
    parser = argparse.ArgumentParser(prog="python benchmarks/bundle.py", description=main.__doc__)
    parser.add_argument("name")
    parser.add_argument("experiments", nargs="+", metavar="EXPERIMENT")
    given = parser.parse_args()
    write_bundle(Store(), given.experiments, FOLDER, given.name)
    plain = FOLDER / f"{given.name}.safetensors"
    plain.with_suffix(".safetensors.gz").write_bytes(gzip.compress(plain.read_bytes(), mtime=0))  # no time: same bytes
    plain.unlink()
    for path in sorted(FOLDER.glob(f"{given.name}.*")):
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
