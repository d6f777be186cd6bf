"""The English backbone on Launch: a button where it is not there, words while it is fetched, then it is chosen."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from app.show.captions import plain
from app.ui import fetching
from compt_core.backbone import english
from compt_core.errors import BackboneError
from compt_core.tasks import selections


class Download:
    """In the place of `english.fetch`: says a word, waits for `go`, then leaves the files or fails with `problem`."""

    def __init__(self) -> None:
        self.go, self.problem, self.calls = threading.Event(), "", 0

    def __call__(self, progress) -> Path:
        self.calls += 1
        progress("Downloading *68* MB …")
        assert self.go.wait(30)
        if self.problem:
            raise BackboneError(self.problem)
        english.folder().mkdir(parents=True)
        for name in english.FILES:
            (english.folder() / name).touch()
        return english.folder()


@pytest.fixture
def download(home, monkeypatch):
    found = Download()
    monkeypatch.setattr(english, "fetch", found)
    monkeypatch.setattr(fetching, "_latest", {})
    return found


def ended(download) -> None:
    """Lets the download go on and waits for its end."""
    download.go.set()
    for _ in range(300):
        if not fetching._latest["fetch_english"].running:
            return
        time.sleep(0.1)
    pytest.fail("The download does not end.")


def captions_of(app) -> str:
    return " ".join(plain([one.value]) for one in app.caption)


def test_a_click_fetches_it_and_chooses_it_when_it_is_there(visit, download):
    app = visit("launch")
    assert english.ORIGIN not in captions_of(app)
    app.button(key="fetch_english").click().run()
    assert not app.exception and "Downloading *68* MB" in captions_of(app)
    assert "fetch_english" not in [button.key for button in app.button]
    assert app.selectbox(key="form.backbone").value == "demo"
    ended(download)
    app.run()
    assert not app.exception and app.selectbox(key="form.backbone").value == "english"
    assert english.ORIGIN in captions_of(app) and "Downloading" not in captions_of(app)
    assert "--backbone english" in app.code[0].value
    assert "fetch_english" not in [button.key for button in app.button]


def test_the_visitor_may_choose_another_one_afterwards(visit, download):
    app = visit("launch")
    app.button(key="fetch_english").click().run()
    ended(download)
    app.run()
    app.selectbox(key="form.backbone").set_value("demo").run()
    app.run()
    assert app.selectbox(key="form.backbone").value == "demo" and english.ORIGIN not in captions_of(app)


def test_another_visitor_sees_the_same_download_and_keeps_the_own_choice(visit, download):
    first = visit("launch")
    first.button(key="fetch_english").click().run()
    second = visit("launch")
    assert "Downloading" in captions_of(second) and download.calls == 1
    ended(download)
    second.run()
    assert second.selectbox(key="form.backbone").value == "demo"
    assert "fetch_english" not in [button.key for button in second.button]


def test_a_failed_download_is_a_sentence_and_can_be_tried_again(visit, download):
    download.problem = "PyPI cannot be reached. Check the *network*."
    app = visit("launch")
    app.button(key="fetch_english").click().run()
    ended(download)
    app.run()
    said = [plain([one.value]) for one in app.markdown if one.value.startswith(":red[:material/error:")]
    assert not app.exception and any(download.problem in one for one in said)
    assert app.selectbox(key="form.backbone").value == "demo"
    download.problem = ""
    app.button(key="fetch_english").click().run()
    ended(download)
    app.run()
    assert app.selectbox(key="form.backbone").value == "english" and download.calls == 2


def test_where_it_is_chosen_but_not_there_both_origin_and_button_are_shown(visit, download):
    app = visit("launch", preset="first-1", backbone="english")  # one task: the check reads its data
    assert english.ORIGIN in captions_of(app) and app.button(key="fetch_english").label == fetching.BACKBONE.label
    app.button(key="check").click().run()
    assert any("backbone fetch english" in plain([one.value]) for one in app.markdown)


def test_rows_that_are_not_there_have_a_button_of_their_own(visit, download, monkeypatch):
    asked = []

    def fetch(name, *_):
        asked.append(name)
        for task, splits in selections.fingerprints(name).items():
            (selections.folder(name) / task).mkdir(parents=True)
            for split in splits:
                (selections.folder(name) / task / f"{split}.jsonl").touch()

    monkeypatch.setattr(selections, "fetch", fetch)
    app = visit("launch", preset="english")
    assert {"fetch_english", "fetch_rows"} <= {button.key for button in app.button}
    app.button(key="fetch_rows").click().run()
    while fetching._latest["fetch_rows"].running:
        time.sleep(0.05)
    app.run()
    assert asked == ["english"] and not app.exception
    assert "fetch_rows" not in [button.key for button in app.button]
