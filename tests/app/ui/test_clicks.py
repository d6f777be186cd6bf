"""Cells that can be clicked: a marker over each, a frame around the open one, and what a click is read as."""

from __future__ import annotations

import pandas as pd
import pytest
import streamlit as st

from app.show import charts
from app.ui import clicks
from app.ui.names import SOURCE, TASK

ROWS, COLUMNS = ("alpha <b>", "beta", "gamma"), ("s0", "s1")


@pytest.fixture
def cells():
    return pd.DataFrame([{"row": row, "column": column, "value": 0.1 * i + 0.01 * j, "half": float("nan"), "n": 1}
                         for i, row in enumerate(ROWS) for j, column in enumerate(COLUMNS)])


def drawn(cells, chosen=None):
    return clicks.clickable(charts.heatmap(cells, "weight", "weight", (0, 1)), cells, chosen)


def test_every_cell_has_a_marker_that_names_it_and_lies_over_it(cells):
    heat, *_, markers = drawn(cells).data
    assert [tuple(names) for names in markers.customdata] == [(row, column) for row in ROWS for column in COLUMNS]
    for x, y, (row, column) in zip(markers.x, markers.y, markers.customdata, strict=True):
        assert (heat.y.index(y), heat.x.index(x)) == (ROWS.index(row), COLUMNS.index(column))


def test_markers_are_invisible_and_say_what_the_cells_said(cells):
    before = charts.heatmap(cells, "weight", "weight", (0, 1)).data[0].customdata
    figure = drawn(cells)
    markers = figure.data[-1]
    assert list(markers.hovertext) == [text for line in before for text in line]
    assert {markers.marker.opacity, markers.selected.marker.opacity, markers.unselected.marker.opacity} == {0}
    assert {trace.hoverinfo for trace in figure.data[:-1]} == {"skip"}


def test_a_blank_cell_keeps_its_hover():
    row = {"row": "spp", "half": float("nan"), "n": 1, "constant": 0, "lowest": 0.0, "highest": 0.0}
    cells = pd.DataFrame([{**row, "column": "cola", "value": 0.5, "undefined": 0},
                          {**row, "column": "stsb", "value": float("nan"), "undefined": 1}])
    figure = clicks.clickable(charts.heatmap(cells, "score", "score", (0, 100)), cells)
    assert "50.00 points" in figure.data[-1].hovertext[0] and "undefined" in figure.data[-1].hovertext[1]


def test_a_missing_cell_cannot_be_clicked(cells):
    markers = drawn(cells[~((cells["row"] == "gamma") & (cells["column"] == "s0"))]).data[-1]
    assert len(markers.customdata) == 5 and ["gamma", "s0"] not in [list(names) for names in markers.customdata]


def test_the_open_cell_alone_has_a_frame(cells):
    assert not drawn(cells).layout.shapes and not drawn(cells, ("nobody", "s1")).layout.shapes
    frame = drawn(cells, ("gamma", "s1")).layout.shapes
    assert {(round((one.x0 + one.x1) / 2), round((one.y0 + one.y1) / 2)) for one in frame} == {(1, 2)}


def test_a_click_is_read_as_its_cell():
    point = {"customdata": ["beta", "s1"], "x": "s1"}
    assert clicks.picked({"selection": {"points": [point], "box": []}}) == ("beta", "s1")


@pytest.mark.parametrize("event", [
    None, {}, {"selection": {"points": []}}, {"selection": {"points": [{"x": 1}]}},
    {"selection": {"points": [{"customdata": "beta"}]}}, {"selection": {"points": [{"customdata": ["beta", 3]}]}},
])
def test_what_is_no_click_on_a_cell_is_none(event):
    assert clicks.picked(event) is None


def test_a_click_goes_into_the_link_and_no_click_leaves_it(monkeypatch):
    link, session = {"task": "alpha"}, {"heat": {"selection": {"points": []}}}
    monkeypatch.setattr(st, "query_params", link)
    monkeypatch.setattr(st, "session_state", session)
    clicks._follow("heat", (TASK, SOURCE))
    assert link == {"task": "alpha"}
    session["heat"] = {"selection": {"points": [{"customdata": ["gamma", "s1"]}]}}
    clicks._follow("heat", (TASK, SOURCE))
    assert link == {"task": "gamma", "source": "s1"}
