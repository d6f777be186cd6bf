"""Tables to figures: what is drawn where, colour limits, one look per method, no markup from names."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from app.show import charts, frames, styles
from compt_core.methods.table import METHODS


def cells(*rows):
    """Summary rows from (row, column, value)."""
    blank = {"half": math.nan, "n": 1, "undefined": 0, "constant": 0, "lowest": 0.0, "highest": 0.0}
    return pd.DataFrame([{"row": r, "column": c, "value": v, **blank} for r, c, v in rows], columns=frames.SUMMARY)


def draw(frame, scale):
    return charts.heatmap(frame, scale, "points", charts.limits(frame, scale))


def test_every_method_has_a_look_of_its_own():
    assert set(styles.LOOKS) == set(METHODS)
    for part in ("colour", "dash", "marker", "symbol"):
        assert len({getattr(look, part) for look in styles.LOOKS.values()}) == len(METHODS), part
    assert styles.look("a-new-one") not in styles.LOOKS.values() and styles.label("a-new-one") == "a-new-one"


def test_a_missing_cell_stays_empty_and_does_not_shift_the_others():
    figure = draw(cells(("pt", "a", 0.5), ("spp", "a", 0.6), ("spp", "b", 0.7)), "score")
    assert [list(line) for line in figure.data[0].z] == [[50.0, None], [60.0, 70.0]]
    numbers, blanks = (list(zip(trace.x, trace.text, strict=True)) for trace in figure.data[1:])
    assert (numbers, blanks) == ([("a", "50.0"), ("a", "60.0"), ("b", "70.0")], [("b", "")])


def test_the_colour_bar_of_one_row_has_three_ticks_that_can_be_told_apart():
    bar = charts.heatmap(cells(("a", "s0", 0.4), ("a", "s1", 0.6)), "weight", "weight", (0, 1)).data[0].colorbar
    assert tuple(bar.tickvals) == (0, 0.5, 1) and bar.tickformat == ".3~g"  # .0f would round the one in the middle
    bar = draw(cells(("a", "x", 0.4), ("b", "x", 0.6)), "score").data[0].colorbar
    assert bar.tickvals is None and bar.tickformat is None


def test_marks_and_intervals_stand_in_the_cells():
    frame = cells(("pt", "a", 0.5), ("pt", "b", 0.25), ("pt", "c", math.nan))
    frame[["half", "n"]] = [[0.02, 3], [0.1, 3], [math.nan, 3]]
    frame.loc[0, "constant"], frame.loc[1, "undefined"], frame.loc[2, "undefined"] = 1, 1, 3
    figure = draw(frame, "score")
    assert list(figure.data[1].text) == ["50.0†<br>±2.0", "25.0‡<br>±10.0"]
    assert list(figure.data[2].text) == ["undef."]
    hover = figure.data[0].customdata[0]
    assert "one label for every dev row in 1 of 3" in hover[0] and "undefined in 1 of 3" in hover[1]
    assert "counts 0 in means" in hover[2]


def test_identical_seeds_are_said_and_the_mean_with_another_zero_has_no_fill():
    frame = cells(("pt", "a", 0.5), ("pt", frames.NORMALISED, 0.1))
    frame[["half", "n"]] = [[0.0, 3], [0.02, 3]]
    for scale in ("score", "difference"):
        figure = draw(frame, scale)
        assert list(figure.data[0].z[0]) == [50.0, None]
        assert figure.data[1].text[0].endswith("50.0<br>same") and "±" not in figure.data[0].customdata[0][0]
        assert figure.data[2].text[0].endswith("10.0<br>±2.0") and "10.00 points" in figure.data[2].customdata[0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_take_the_themes_text_colour(theme, monkeypatch):
    monkeypatch.setattr(charts, "ink", lambda: styles.INKS[theme])
    figure = draw(cells(("pt", "a", 0.5), ("pt", "b", math.nan)), "score")
    fonts = [figure.layout.xaxis.tickfont, figure.layout.yaxis.tickfont, figure.data[0].colorbar.tickfont,
             figure.data[0].colorbar.title.font, figure.data[2].textfont]
    assert {font.color for font in fonts} == {styles.INKS[theme]}
    assert charts.curves(curves("pt"), styles.LOOKS).to_dict()["config"]["axis"]["labelColor"] == styles.INKS[theme]


def test_losses_that_are_not_finite_do_not_stretch_the_axis():
    assert charts.ends(pd.DataFrame({"value": [1.0, 2.0, math.inf, math.nan]})) == pytest.approx((0.96, 2.04))
    assert charts.ends(pd.DataFrame({"value": [math.nan]})) is None


@pytest.mark.parametrize(("values", "limits"), [([0.2, -0.5], (-50, 50)), ([0.0], (-1, 1)), ([0.3], (-30, 30))])
def test_differences_are_centred_on_zero(values, limits):
    figure = draw(cells(*[("spp", f"t{i}", v) for i, v in enumerate(values)]), "difference")
    assert (figure.data[0].zmin, figure.data[0].zmax) == pytest.approx(limits)
    assert figure.data[1].text[0] == f"{100 * values[0]:+.1f}"


@pytest.mark.parametrize(("values", "limits"), [
    ([0.62, 0.8], (60, 100)), ([-0.11, 0.5], (-20, 100)), ([0.97], (90, 100)),
])
def test_scores_take_the_tens_around_them(values, limits):
    rows = [("pt", f"t{i}", v) for i, v in enumerate(values)]
    figure = draw(cells(*rows, ("pt", frames.NORMALISED, -0.9)), "score")
    assert (figure.data[0].zmin, figure.data[0].zmax) == limits


def test_weights_run_from_zero_to_one():
    alone = {"row": "a", "half": float("nan"), "n": 1}
    frame = pd.DataFrame([{**alone, "column": "s0", "value": 0.25}, {**alone, "column": "s1", "value": 0.75}])
    figure = draw(frame, "weight")
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 1)
    assert list(figure.data[1].text) == ["0.25", "0.75"]
    figure = draw(frame.assign(half=[0.01, 0.2], n=3), "weight")
    assert list(figure.data[1].text) == ["0.25<br>±0.01", "0.75<br>±0.20"]


def test_numbers_are_black_on_light_and_white_on_dark():
    figure = draw(cells(("pt", "low", 0.0), ("pt", "high", 1.0)), "score")
    assert list(figure.data[1].textfont.color) == ["#ffffff", "#000000"]


def test_names_are_escaped():
    figure = draw(cells(("<script>", "<b>x</b>", 0.5)), "score")
    drawn = json.dumps(figure.to_plotly_json(), default=str)
    assert "<script>" not in drawn and "<b>x</b>" not in drawn and "&lt;b&gt;x" in drawn


@pytest.mark.parametrize(("columns", "sizes"), [(1, [1]), (14, [14]), (15, [8, 7]), (64, [13, 13, 13, 13, 12])])
def test_wide_tables_are_cut_into_panels(columns, sizes):
    frame = cells(*[("pt", f"t{i}", 0.5) for i in range(columns)])
    parts = charts.panels(frame)
    assert [len(part) for part in parts] == sizes
    assert [name for part in parts for name in part["column"]] == list(frame["column"])


def test_panels_share_their_colours(visit, lab):
    identity = lab.finished(tasks="cola,sst2,mrpc,qqp,stsb,mnli,qnli,rte,imdb,paws,scitail")
    specs = [json.loads(chart.proto.spec)["data"][0] for chart in visit("accuracy", exp=identity).get("plotly_chart")]
    assert len(specs) == 2
    assert len({(spec["zmin"], spec["zmax"]) for spec in specs}) == 1


def curves(*methods):
    return pd.DataFrame([
        {"run": f"{method}0", "variant": method, "shots": 8, "seed": 0, "step": step, "value": 2.0 - step}
        for method in methods for step in (0, 1)
    ])


def test_a_line_has_its_methods_look_whichever_others_are_there():
    for methods in (("pt", "spp"), ("spp",), ("scp", "spp", "mst")):
        encoding = charts.curves(curves(*methods), styles.LOOKS).to_dict()["layer"][0]["encoding"]
        at = encoding["color"]["scale"]["domain"].index("ComPT (SPP)")
        assert encoding["color"]["scale"]["range"][at] == styles.LOOKS["spp"].colour
        assert encoding["strokeDash"]["scale"]["range"][at] == list(styles.LOOKS["spp"].dash)


def test_curves_end_in_their_marker():
    layers = charts.curves(curves("pt", "mst"), styles.LOOKS).to_dict()["layer"]
    assert [layer["mark"]["shape"] for layer in layers[1:]] == ["circle", "square"]


def test_a_gate_figure_has_two_marks_per_task():
    gates = pd.DataFrame({"task": ["b", "a"], "alpha": [1, 1], "beta": [1, 1], "private_share": [0.5, 0.25],
                          "private_norm_share": [0.75, math.nan]})
    spec = charts.gate_shares(gates).to_dict()
    dots = next(layer for layer in spec["layer"] if "shape" in layer["encoding"])
    assert dots["encoding"]["y"]["sort"] == ["b", "a"]
    data = spec["datasets"][dots["data"]["name"]]
    assert [(point["task"], point["share"]) for point in data] == [("b", 0.5), ("a", 0.25), ("b", 0.75)]


def test_rows_of_one_method_share_its_colour_and_nothing_else():
    variants = {"a": "pt", "b": "pt", "spp": "spp", "s2": "spp", "s8": "spp", "mst": "mst", "mpt": "mpt", "c": "pt"}
    looks = styles.looks(variants)
    assert all(looks[name].colour == styles.LOOKS[method].colour for name, method in variants.items())
    assert looks["a"] == styles.LOOKS["pt"] and looks["spp"] == styles.LOOKS["spp"]
    for part in ("dash", "marker", "symbol"):
        assert len({getattr(look, part) for look in looks.values()}) == len(variants), part
