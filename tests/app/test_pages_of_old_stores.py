"""Pages over the store of an older version, with a run on a task that nothing is known of: a sentence, no traceback."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.report import document as report
from compt_core.analysis.answers import stored_answers
from compt_core.runs.store import Store

PAGES = ("home", "learn", "launch", "runs", "accuracy", "attention", "gates", "whatif", "space")


def words(app: AppTest) -> str:
    parts = (app.markdown, app.caption, app.error, app.info, app.warning)
    return re.sub(r"\\(.)", r"\1", "\n".join(element.value for part in parts for element in part))


@pytest.mark.parametrize("experiment", ["pzev2ag0ok", "oldgoneexp"])
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens(visit: Callable[..., AppTest], version_4: Path, page: str, experiment: str) -> None:
    app = visit(page, exp=experiment)
    assert not app.exception
    assert not app.error or (page, experiment) == ("whatif", "oldgoneexp")


def test_where_the_definition_is_needed_a_sentence_says_so(visit: Callable[..., AppTest], version_4: Path) -> None:
    assert "The store holds no definition of task 'gone-task', which run 'oldgonerun' was trained on" \
        in words(visit("whatif", run="oldgonerun"))
    behind = visit("accuracy", exp="oldgoneexp", task="gone-task", method="spp")
    assert not behind.exception and "the store holds no definition of task 'gone-task'" in words(behind)
    known = visit("accuracy", exp="oldgoneexp", task="demo-mood", method="spp")
    assert not known.exception and "of 60 answers" in words(known)


def test_report_and_export_leave_out_what_is_not_known(version_4: Path) -> None:
    store, notes = Store(version_4), list[str]()
    page = report.report(store.experiment("oldgoneexp"), store.runs("oldgoneexp"), {}, 0.0)
    assert "gone-task" in page
    answers = list(stored_answers(store, store.runs("oldgoneexp"), notes))
    assert {task for _, task, *_ in answers} == {"demo-mood", "demo-stsb"} and len(answers) == 120
    assert any("of task 'gone-task' are left out: the store holds no definition of task 'gone-task'" in note
               for note in notes)
    store.close()


def test_old_links_still_work(visit: Callable[..., AppTest], version_4: Path) -> None:
    for page in ("attention", "gates", "whatif", "space"):
        app = visit(page, run="gn470shri0")
        assert not app.exception and not app.error and app.selectbox(key="pick_run").value == "gn470shri0", page
    cell = visit("accuracy", exp="pzev2ag0ok", method="pt", task="demo-mood", view="pt")
    assert not cell.exception and not cell.error and cell.selectbox(key="method").value == "pt"
    form = visit("launch", **{"from": "pzev2ag0ok"})
    assert not form.exception and "pt: method=pt lr_private=0.04" in form.text_area(key="form.variants").value
    typed = visit("launch", preset="first-2", method_settings="{pt: {lr_private: 0.25}}")
    assert not typed.exception and not typed.warning
    assert typed.text_area(key="form.variants").value.splitlines()[-1] == "pt: method=pt lr_private=0.25"
