"""Whoever cannot see a figure or a table is told what it shows."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("page", ["runs", "accuracy", "attention", "gates", "space"])
@pytest.mark.parametrize("seeds", ["0", "0-2"])
def test_every_figure_and_table_says_what_it_shows(visit, lab, page, seeds):
    app = visit(page, exp=lab.finished(seeds=seeds, shots="8,16"))
    figures = [*app.get("plotly_chart"), *app.get("vega_lite_chart")]
    assert figures or page == "gates"
    for figure in figures:
        assert len(figure.proto.alt) > 20, figure.proto
    for table in app.dataframe:
        assert table.proto.alt
