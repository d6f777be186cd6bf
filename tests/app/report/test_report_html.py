"""The HTML report: well formed, needs nothing else, escapes every name, and holds the numbers of the store."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from app.report import document as report
from app.report import downloads
from app.report import figures as report_figures
from app.show import frames, weights
from compt_core.scoring.statistics import half_width

VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)> & \'x\' {{ 7 * 7 }} url(http://evil)'


class Reader(HTMLParser):
    """Elements with attributes and text; fails where a tag is closed that is not the open one."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.tables = [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names))
        self.elements.append([tag, dict(attributes), ""])
        if tag not in VOID:
            self.open.append(self.elements[-1])
        if tag == "table":
            self.rows = []
        if tag == "tr":
            self.rows.append([])

    def handle_startendtag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])

    def handle_data(self, data):
        for element in self.open:
            element[2] += data

    def handle_endtag(self, tag):
        element = self.open.pop()
        assert element[0] == tag
        if tag in ("th", "td"):
            self.rows[-1].append(element[2].strip())
        if tag == "caption":
            self.caption = element[2]
        if tag == "table":
            head, *rows = self.rows
            self.tables[self.caption] = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}

    def all(self, tag):
        return [element for element in self.elements if element[0] == tag]

    @property
    def text(self):
        return " ".join(self.all("body")[0][2].split())


def losses(store, runs):
    return store.curves([run.id for run in runs], "loss")


@pytest.fixture
def made(store):
    def make(identity, **changes):
        runs = store.runs(identity)
        experiment = replace(store.experiment(identity), **changes)
        return Reader(report.report(experiment, runs, {"loss": losses(store, runs)}, 1_790_000_000.0))
    return make


@pytest.fixture
def whole(lab, made):
    """Three seeds at two shot counts, a constant predictor among them."""
    identity = lab.finished(seeds=[0, 1, 2], shots="8,16", constant=("cola",))
    return identity, made(identity)


def test_it_needs_nothing_else(whole):
    page = whole[1]
    for tag, attributes, _ in page.elements:
        assert tag not in ("script", "link", "img", "iframe", "object", "base", "form")
        assert not {"src", "srcset", "action", "data", "xlink:href"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("href", "#").startswith("#")
        assert "url(" not in attributes.get("style", "")
    style = page.all("style")[0][2]
    assert "url(" not in style and "@import" not in style
    policy = next(a["content"] for _, a, _ in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_it_can_be_read_without_seeing_it(whole):
    page = whole[1]
    levels = [int(tag[1]) for tag, *_ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert page.all("html")[0][1]["lang"] == "en-GB" and page.all("title")[0][2]
    tables = page.all("table")
    assert len(page.all("caption")) == len(tables) and all(a["scope"] in ("col", "row") for _, a, _ in page.all("th"))
    for _, attributes, text in page.all("svg"):
        assert attributes["role"] == "img" and attributes["aria-label"] and text
    assert len(page.all("svg")) == 1 + 2  # shots, and losses of two shot counts
    targets = {a["id"] for _, a, _ in page.elements if "id" in a}
    assert {a["href"][1:] for _, a, _ in page.all("a")} <= targets


def test_numbers_are_those_of_the_store(whole, store):
    identity, page = whole
    runs = store.runs(identity)
    for shots in (8, 16):
        table = page.tables[f"Scores × 100 at {shots} shots"]
        for method, head in (("pt", "● PT"), ("mst", "■ MST"), ("spp", "▲ ComPT (SPP)"), ("scp", "◆ ComPT (SCP)")):
            results = [run.result for run in runs if (run.method, run.shots) == (method, shots)]
            assert len(results) == 3
            for task, metrics in results[0]["tasks"].items():
                for metric in metrics:
                    values = [result["tasks"][task][metric] for result in results]
                    column = frames.column_name(task, metric, len(metrics) > 1)
                    if None in values:
                        assert table[column][head] == "undef."
                        continue
                    mean, half = sum(values) / 3, half_width(values)
                    cell = table[column][head].replace("†", "").replace("‡", "")
                    assert cell == f"{100 * mean:.1f} ±{100 * half:.1f}"
            assert table["sst2"]["majority"] == "45.0"
    gap = page.tables["Difference from PT, 8 shots, points"]
    assert gap["sst2"]["■ MST"].startswith("-10.0") and "● PT" not in gap["sst2"]
    mates = [run for run in runs if (run.method, run.shots) == ("scp", 16)]
    mean = weights.mean(mates)
    table = page.tables["Attention weights of ComPT (SCP), 16 shots, mean over 3 seeds ± half of the 95% t-interval"]
    assert [[cell.split()[0] for cell in row.values()] for row in table.values()] == [
        [f"{value:.2f}" for value in row] for row in mean.values]
    table = page.tables["Gates of ComPT (SPP), 8 shots, mean over 3 seeds ± half of the 95% t-interval"]
    assert [row["alpha (private)"] for row in table.values()] == ["0.20 ±0.00", "0.30 ±0.00", "0.40 ±0.00"]
    assert [row["beta (shared)"].split()[0] for row in table.values()] == ["0.50", "0.40", "0.30"]


def test_it_says_what_the_pages_say_and_how_to_repeat_it(whole):
    page = whole[1]
    for part in ("Backbone demo (frozen) · suite glue", "8 and 16 shots per task · 3 seeds", "24 runs: 24 completed.",
                 "mean over tasks; identical in all 3 paired seeds", "n = 3 runs per cell",
                 "only the ratio of the gates acts", "A lower training loss does not mean a better score.",
                 "python -m compt_core run --methods pt,mst,spp,scp --tasks cola,sst2,stsb",
                 "Made on 21 September 2026"):
        assert part in page.text
    assert page.tables["Every setting"]["sources"]["all rows"] == "2"


def test_versions_are_told_apart(lab, store):
    identity = lab.finished()
    about = {"compt": "0.1.0", "packages": {"torch": "2"}, "threads": 2, "data": {"cola": "a" * 64},
             "backbone": {"id": "demo", "hash": "b" * 64, "device": "cpu", "dtype": "float32"}}
    runs = [replace(run, versions=about | {"threads": 2 + (run.method == "pt")}) for run in store.runs(identity)]
    page = Reader(report.report(store.experiment(identity), runs, {}, 0.0))
    table = page.tables["What the runs stood on; of each SHA-256 hash the first 16 characters"]
    assert table["threads"] == {"1 run": "3", "3 runs": "2"} and table["torch"]["1 run"] == "2"
    assert table["data of cola"]["3 runs"] == "a" * 16 and table["backbone hash"]["1 run"] == "b" * 16


def test_a_single_seed_has_no_interval(lab, made):
    page = made(lab.finished())
    assert "one run: no interval" in page.text and "±" not in "".join(
        cell for rows in page.tables.values() for row in rows.values() for cell in row.values())
    assert len(page.all("svg")) == 1  # no curve over one shot count


def test_hostile_names_are_text(lab, made, store):
    failed = lab.failed(HOSTILE)
    config = store.experiment(failed).config | {"backbone": HOSTILE, "data_dir": HOSTILE}
    page = made(failed, config=config)
    assert not page.all("script") and not page.all("img")
    shown = " ".join(HOSTILE.split())
    assert page.text.count(shown) >= 3  # message, provenance, settings
    assert "49" not in page.tables["Every setting"]["backbone"]["all rows"]


def test_an_experiment_of_failed_runs_tells_why(lab, made):
    page = made(lab.failed("The loss is not finite at step 4.", seeds=[0, 1, 2, 3, 4]))
    assert "No run has completed: there are no scores." in page.text
    rows = page.tables["20 of 20 runs did not complete; nothing above counts them"]
    (why, row), = rows.items()
    assert why == "ValueError: The loss is not finite at step 4." and row["how many"] == "20 runs"
    assert row["which"].startswith("PT, 8 shots, seed 0; ") and row["which"].endswith("; and 8 more")


@pytest.mark.parametrize(("references", "says"), [
    (None, "were not scored yet when this was made"), ({"majority": {}, "no_prompt": {}}, "could not be computed")])
def test_missing_references_are_said(lab, made, references, says):
    page = made(lab.finished(references=False), references=references)
    assert says in page.text
    assert "majority" not in page.tables["Scores × 100 at 8 shots"]["sst2"]


def test_rows_with_settings_of_their_own_are_in_the_command(lab, made):
    page = made(lab.finished(methods="mst,spp", variants=["pt: method=pt lr_private=0.3"]))
    [command] = (element[2] for element in page.all("pre"))
    assert "--methods mst,spp --variant 'pt: method=pt lr_private=0.3'" in command
    assert page.tables["Every setting"]["lr_private"]["single rows"] == "PT: 0.3"


def test_ticks_are_round_and_lines_keep_their_ends():
    assert list(report_figures.ticks(0, 200).values()) == ["0", "50", "100", "150", "200"]
    assert list(report_figures.ticks(-0.04, 1.02).values()) == ["0.0", "0.5", "1.0"]
    points = [(float(i), 1e5 if i == 555 else float(i % 7)) for i in range(1000)]
    kept = report_figures.thinned(points, 30)
    assert len(kept) <= 30 and {points[0], points[555], points[-1]} < set(kept)


@pytest.mark.parametrize("page", ["runs", "accuracy"])
def test_the_pages_offer_it_once_a_run_has_completed(lab, visit, page):
    identity = lab.finished()
    app = visit(page, exp=identity)
    assert not app.exception
    assert "Report (HTML)" in [button.proto.label for button in app.get("download_button")]
    app = visit(page, exp=lab.failed())
    assert not app.exception
    assert "Report (HTML)" not in [button.proto.label for button in app.get("download_button")]


def test_it_is_made_again_when_something_has_changed(lab, store, monkeypatch):
    made = []
    monkeypatch.setattr(report, "report", lambda experiment, runs, losses, now, study: made.append(len(runs)) or "x")
    identity = lab.finished(references=False)
    for _ in range(2):
        downloads._report(store, identity, downloads._standing(store, identity))
    assert made == [4]
    store.set_references(identity, {"majority": {}, "no_prompt": {}})
    downloads._report(store, identity, downloads._standing(store, identity))
    assert made == [4, 4]
