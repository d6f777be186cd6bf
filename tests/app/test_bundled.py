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
    return next(one.id for one in Store().experiments() if one.config["tasks"][0] == "demo-mood")


@pytest.fixture
def english(visit):
    """The id of the bundled grid on real English."""
    visit("home")
    return next(one.id for one in Store().experiments() if one.config["backbone"] == "english")


def test_a_first_visit_has_all_grids_to_look_at(visit):
    app = visit("home")
    cards = [part.value for part in app.markdown if "bundled with the project" in part.value]
    assert len(cards) == 3 and all("200 completed" in cards[i] for i in (0, 2)) and "50 completed" in cards[1]
    assert "demo task" in cards[0] and "english" in cards[1] and "demo\\-glue task" in cards[2]


def test_every_page_of_results_shows_the_bundled_demo_by_itself(visit, demo):
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


def test_real_english_is_shown_and_what_it_lacks_is_offered(visit, english):
    for page in ("runs", "accuracy", "attention", "gates", "space"):
        app = visit(page, exp=english)
        assert not app.exception and not app.error, page
        assert {"fetch_english", "fetch_rows"} <= {button.key for button in app.button}, page
        assert any("still needs" in part.value for part in app.caption), page


def test_a_broken_bundle_does_not_keep_anybody_from_working(visit, monkeypatch, tmp_path):
    (tmp_path / "demo.json").write_text("{")
    monkeypatch.setattr(bundle.import_bundles, "__defaults__", (tmp_path,))
    app = visit("home")
    assert not app.exception and not app.error
    assert any("There are none yet." in part.value for part in app.caption)
