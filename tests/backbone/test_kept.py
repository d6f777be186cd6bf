"""Which loaded backbones a process keeps: bounded by number and by memory, the one used longest ago goes first."""

from __future__ import annotations

import json
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from compt_core.backbone import kept as backbone_cache
from compt_core.backbone.kept import Shelf, capacity
from compt_core.backbone.load import BackboneFiles, find_backbone, load_backbone
from compt_core.errors import BackboneError
from compt_core.runs.record import RunRecord
from compt_core.training import fleet_run
from compt_core.whatif import apply

GB = 10**9


@pytest.fixture
def folders(tiny_t5: Path, tmp_path: Path) -> list[BackboneFiles]:
    """Ten backbones."""
    found = []
    for number in range(10):
        folder = tmp_path / f"t5-{number}"
        shutil.copytree(tiny_t5, folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"dropout_rate": number / 100}))
        found.append(find_backbone(str(folder)))
    return found


@dataclass
class Made:
    name: str


class Loads:
    """Stands in for `load_backbone`: what was loaded, by its folder's number, and whether it is still in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sizes: dict[str, int]):
        self.asked: list[str] = []
        self.alive: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        monkeypatch.setattr(backbone_cache, "asked", lambda files, device: sizes.get(files.folder.name[-1], GB))
        monkeypatch.setattr(backbone_cache, "taken", lambda one: sizes.get(one.name[-1], GB))
        monkeypatch.setattr(backbone_cache, "capacity", lambda device: 10 * GB)
        monkeypatch.setattr(backbone_cache, "gc", SimpleNamespace(collect=lambda: None))  # here it would take seconds

    def __call__(self, files: BackboneFiles, device: str) -> Any:
        self.asked.append(files.folder.name[-1])
        made = Made(files.folder.name)
        self.alive[f"{files.folder.name[-1]} {device}"] = made
        return made

    def kept(self) -> set[str]:
        return set(self.alive)


def test_ten_folders_leave_the_last_few_in_memory(
    folders: list[BackboneFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = Loads(monkeypatch, {})
    shelf = Shelf(loads, most=4, share=1.0)
    for files in folders:
        shelf.get(files, "cpu")
        assert len(loads.kept()) <= 4
    assert loads.kept() == {"6 cpu", "7 cpu", "8 cpu", "9 cpu"}
    shelf.get(folders[6], "cpu")  # used last now
    shelf.get(folders[0], "cpu")
    assert loads.kept() == {"8 cpu", "9 cpu", "6 cpu", "0 cpu"}
    assert loads.asked == [*"0123456789", "0"]


def test_a_large_one_takes_the_room_of_several(folders: list[BackboneFiles], monkeypatch: pytest.MonkeyPatch) -> None:
    loads = Loads(monkeypatch, {"3": 3 * GB, "4": 9 * GB, "5": 11 * GB})
    shelf = Shelf(loads, most=9, share=0.5)
    for files in folders[:3]:
        shelf.get(files, "cpu")
    shelf.get(folders[3], "cpu")
    assert loads.kept() == {"1 cpu", "2 cpu", "3 cpu"}
    shelf.get(folders[4], "cpu")  # more than the share by itself: alone
    assert loads.kept() == {"4 cpu"}
    with pytest.raises(BackboneError, match=r"t5-5' takes 11.0 GB of memory, but 'cpu' has only 10.0 GB"):
        shelf.get(folders[5], "cpu")
    assert loads.kept() == {"4 cpu"}


def test_one_in_use_is_never_let_go(folders: list[BackboneFiles], monkeypatch: pytest.MonkeyPatch) -> None:
    loads = Loads(monkeypatch, {})
    shelf = Shelf(loads, most=2, share=1.0)
    used = shelf.get(folders[0], "cpu")
    for files in folders[1:5]:
        shelf.get(files, "cpu")
    assert loads.kept() == {"0 cpu", "4 cpu"} and shelf.get(folders[0], "cpu") is used
    both = used, shelf.get(folders[4], "cpu")
    shelf.get(folders[5], "cpu")  # no room, but it is needed
    assert loads.kept() == {"0 cpu", "4 cpu", "5 cpu"}
    del used, both
    shelf.get(folders[6], "cpu")
    assert loads.kept() == {"5 cpu", "6 cpu"}


def test_devices_have_room_of_their_own(folders: list[BackboneFiles], monkeypatch: pytest.MonkeyPatch) -> None:
    loads = Loads(monkeypatch, {})
    shelf = Shelf(loads, most=1, share=1.0)
    for device in ("cpu", "mps"):
        for files in folders[:2]:
            shelf.get(files, device)
    assert loads.kept() == {"1 cpu", "1 mps"}


def test_one_whose_files_changed_leaves_at_once(folders: list[BackboneFiles], monkeypatch: pytest.MonkeyPatch) -> None:
    loads = Loads(monkeypatch, {})
    shelf = Shelf(loads)
    old = weakref.ref(shelf.get(folders[0], "cpu"))
    file = folders[0].folder / "config.json"
    file.write_text(file.read_text() + " ")
    shelf.get(folders[0], "cpu")
    assert old() is None and loads.asked == ["0", "0"]


def test_what_leaves_the_shelf_leaves_the_memory(folders: list[BackboneFiles]) -> None:
    """The weights of a real one, without a collection: nothing in it goes round in a circle."""
    load_backbone(folders[0], "cpu")  # once, for the imports
    shelf = Shelf(load_backbone, most=1)
    weights = weakref.ref(shelf.get(folders[1], "cpu").model.shared.weight)
    shelf.get(folders[2], "cpu")
    assert weights() is None


def test_threads_that_ask_at_once_get_one_backbone(tiny_t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    shelf = Shelf(lambda *given: asked.append(given) or load_backbone(*given))  # type: ignore[func-returns-value]
    monkeypatch.setattr(fleet_run, "_SHELF", shelf)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fleet_run.shared_backbone(str(tiny_t5), "cpu"), range(8)))
    assert len(asked) == 1 and all(one is found[0] for one in found)


def test_what_if_keeps_no_backbone_in_memory(folders: list[BackboneFiles], monkeypatch: pytest.MonkeyPatch) -> None:
    def run(files: BackboneFiles) -> RunRecord:
        about: Any = SimpleNamespace(config={"backbone": files.ref}, backbone={"hash": files.digest()})
        return about

    shelf = Shelf(load_backbone, most=1)
    monkeypatch.setattr(apply, "shared_backbone", lambda ref: shelf.get(find_backbone(ref), "cpu"))
    first = weakref.ref(apply.backbone_of(run(folders[0])))
    monkeypatch.setattr(apply, "shared_backbone", lambda ref: pytest.fail("the files were asked for anew"))
    assert apply.backbone_of(run(folders[0])) is first()
    monkeypatch.setattr(apply, "shared_backbone", lambda ref: shelf.get(find_backbone(ref), "cpu"))
    apply.backbone_of(run(folders[1]))
    assert first() is None


def test_the_memory_of_this_machine_is_known() -> None:
    assert 2**28 < capacity("cpu") < 2**63 - 1
