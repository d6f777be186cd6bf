"""The runs that come with the project, on every page of a fresh home."""

from __future__ import annotations

import pytest

from compt_core.exchange import bundle
from compt_core.runs.store import Store


@pytest.fixture(autouse=True)
def _bundled(monkeypatch):
    monkeypatch.delenv("COMPT_DEMO_RUNS")


@pytest.fixture
def demo(visit):
    """The id of the bundled grid of the suite demo, once a page was opened."""
    visit("home")
    return Store().experiments()[0].id


def test_a_first_visit_has_both_grids_to_look_at(visit):
    app = visit("home")
    cards = [part.value for part in app.markdown if "bundled with the project" in part.value]
    assert len(cards) == 2 and all("200 completed" in card for card in cards)
    assert "demo task" in cards[0] and "demo\\-glue task" in cards[1]  # the suite of the comparison first


def test_every_page_of_results_shows_the_bundled_grid_by_itself(visit, demo):
    for page in ("runs", "accuracy", "attention", "gates", "space"):
        app = visit(page)
        assert not app.exception and not app.error, page
        assert app.selectbox(key="pick_experiment").value == demo, page
        assert any("not trained here" in part.value for part in app.markdown), page
        assert not any("Launch an experiment" in link.value for link in app.page_link), page
    for page in ("attention", "gates"):
        for method in ("spp", "scp"):
            run = next(run for run in Store().runs(demo) if run.method == method and run.shots == 16)
            app = visit(page, run=run.id)
            assert not app.exception and app.selectbox(key="pick_run").value == run.id, (page, method)


def test_a_broken_bundle_does_not_keep_anybody_from_working(visit, monkeypatch, tmp_path):
    (tmp_path / "demo.json").write_text("{")
    monkeypatch.setattr(bundle.import_bundles, "__defaults__", (tmp_path,))
    app = visit("home")
    assert not app.exception and not app.error
    assert any("There are none yet." in part.value for part in app.caption)
