"""The home folder taken away under a running dashboard, and rows that cannot be read, on the pages."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest

from app.ui import services, uploads
from compt_core.runs.store import Store

PAGES = ("home", "learn", "data", "launch", "runs", "accuracy", "attention", "gates", "studies", "whatif", "space")


@pytest.fixture
def spoil(home):
    def write(statement, *values):
        with closing(sqlite3.connect(home / "compt.db")) as raw, raw:
            raw.execute(statement, values)

    return write


def said(app):
    """The errors on a page, without the marks that keep Markdown off them."""
    return [one.value.replace("\\", "") for one in app.error]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_that_the_store_is_gone_and_is_back_with_it(lab, visit, home, tmp_path, page):
    lab.finished()
    app = visit(page)
    assert not app.exception and not app.error
    home.rename(tmp_path / "aside")
    app.run()
    assert not app.exception and len(said(app)) == 1
    assert "is no longer there: it was deleted or moved" in said(app)[0]
    assert [button.label for button in app.button] == ["Look again"] and not home.exists()
    (tmp_path / "aside").rename(home)
    app.button[0].click().run()
    assert not app.exception and not app.error


def test_no_launch_and_no_upload_is_taken_for_a_store_that_is_gone(visit, home):
    app = visit("launch")
    store = services.store()
    shutil.rmtree(home)
    app.button(key="launch").click().run()
    assert not app.exception and "is no longer there" in said(app)[0]
    assert not home.exists() and not uploads.uploads_folder().exists()
    store.close()


def test_another_store_in_its_place_is_opened_without_a_restart(lab, visit, home, tmp_path, monkeypatch):
    stopped, made = [], []

    class Worker:
        def __init__(self, store, more):
            made.append(store)

        def start_thread(self):
            pass

        def wake(self):
            pass

        def stop(self, timeout):
            stopped.append(timeout)

    monkeypatch.setattr(services, "Worker", Worker)
    monkeypatch.setattr(services, "_worker", None)
    monkeypatch.setenv("COMPT_WORKER", "thread")
    first = lab.finished()
    app = visit("runs")
    home.rename(tmp_path / "aside")
    other = Store(home)
    other.close()
    app = visit("runs")
    assert not app.exception and not app.error and "No runs yet" in [one.value for one in app.header]
    assert (len(made), stopped) == (2, [0]) and services.store().experiments() == []
    assert Store(tmp_path / "aside").experiment(first).id == first
    services.store().close()


def test_a_damaged_run_is_named_beside_the_others_and_deleted(lab, visit, store, spoil):
    identity = lab.finished()
    bad, *others = (run.id for run in store.runs(identity))
    spoil("UPDATE runs SET config = '{' WHERE id = ?", bad)
    for page in ("accuracy", "attention", "gates"):
        app = visit(page, exp=identity)
        assert not app.exception and not app.error
        assert any("1 run of this experiment cannot be read and is left out" in one.value for one in app.warning)
    app = visit("runs", exp=identity)
    assert not app.exception and not app.error
    assert any(f"The run '{bad}' cannot be read" in one.value.replace("\\", "") for one in app.markdown)
    assert list(app.dataframe[0].value["run"]) == others
    app.button(key=f"damaged-run-{bad}").click().run()
    assert not app.exception and store.read_runs(identity)[1] == []


def test_a_damaged_experiment_is_named_on_home_and_deleted(lab, visit, store, spoil):
    bad, good = lab.finished(), lab.finished()
    spoil("UPDATE experiments SET config = '[]' WHERE id = ?", bad)
    app = visit("home")
    assert not app.exception and not app.error
    app = visit("runs", exp=bad)
    assert f"The experiment '{bad}' cannot be read" in said(app)[0]
    app = visit("home")
    app.button(key=f"damaged-experiment-{bad}").click().run()
    assert not app.exception and [one.id for one in store.experiments()] == [good]
    assert store.read_experiments()[1] == []


@pytest.mark.parametrize(("page", "kind"), [("runs", "loss"), ("attention", "attention")])
def test_points_that_cannot_be_read_are_told_where_their_figure_is(lab, visit, store, spoil, page, kind):
    identity = lab.finished(methods="spp")
    spoil("UPDATE events SET data = x'00' WHERE kind = ? AND step = 3", kind)
    app = visit(page, exp=identity)
    assert not app.exception and not app.error
    assert [f"of the curve '{kind}' cannot be read" in one.value.replace("\\", "") for one in app.warning] == [True]
