"""The container's files: what is copied is what the program needs, and nobody trains or serves as root."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_copied_files_alone_run_the_command_line_and_have_every_page(tmp_path: Path) -> None:
    for line in re.findall(r"^COPY (?:--chown=\S+ )?(.+)$", DOCKERFILE, re.M):
        for name in line.split()[:-1]:
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    done = subprocess.run([sys.executable, "-m", "compt_core", "tasks"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=120, check=False, env={"COMPT_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0 and "demo-mood" in done.stdout, done.stderr
    ours, theirs = ({path.name for path in (of / "pages").glob("*.py")} for of in (ROOT, tmp_path))
    assert ours == theirs
    assert (tmp_path / "assets" / "demo-t5" / "model.safetensors").is_file()


def test_it_is_pinned_not_root_and_looked_after() -> None:
    assert re.search(r"^FROM python:3\.11\.\d+-slim-\w+$", DOCKERFILE, re.M) and "HEALTHCHECK" in DOCKERFILE
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.M) == ["1000"]
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert set(services) == {"dashboard", "worker"}
    for service in services.values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert service["volumes"] == ["data:/home/compt/data"]
    assert services["dashboard"]["ports"] == ["127.0.0.1:8501:8501"]
