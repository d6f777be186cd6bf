"""Hidden folders: gone at the end, and after a kill at the next one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from compt_core.scratch import scratch

KILLED = """
import os, signal, sys
from pathlib import Path
from compt_core.scratch import scratch
with scratch(Path(sys.argv[1]), "export") as made:
    (made / "half.csv").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.slow
def test_it_goes_with_what_is_in_it_and_so_does_a_killed_ones(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    killed = names(tmp_path)
    assert len(killed) == 3 and "half.csv" in killed
    (tmp_path / ".export-mine").mkdir()  # a person's own
    with scratch(tmp_path, "upload"):
        assert set(killed) < set(names(tmp_path))  # of another kind
    with scratch(tmp_path, "export") as first, scratch(tmp_path, "export") as second:
        assert names(tmp_path) == sorted([".export-mine", first.name, f"{first.name}.lock", second.name,
                                          f"{second.name}.lock"])
        (first / "scores.csv").touch()
    assert names(tmp_path) == [".export-mine"]
    with pytest.raises(ValueError, match="half-way"), scratch(tmp_path, "export"):
        raise ValueError("half-way")
    assert names(tmp_path) == [".export-mine"]


def test_a_lock_that_another_one_has_just_removed_is_made_anew(tmp_path: Path) -> None:
    lock = tmp_path / ".export-0.lock"
    with FileLock(lock):
        lock.unlink()
        with FileLock(lock, blocking=False):  # another file by now
            assert lock.exists()
