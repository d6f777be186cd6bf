"""Runs on a person's own tasks, on every page: with their rows, after these are gone, and after they have changed."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from app.report import document as report
from app.show import captions, exports, frames
from app.ui import command
from compt_core.cli.main import main
from compt_core.exchange import carry
from compt_core.runs.record import IMPORTED
from compt_core.runs.schema import experiments
from compt_core.runs.store import Store
from compt_core.settings.config import Experiment, to_yaml
from compt_core.tasks import definition, own
from compt_core.tasks.catalogue import Catalogue
from tests import own_tasks
from tests.own_tasks import FILED, KEPT

PAGES = ("home", "learn", "runs", "accuracy", "attention", "gates", "whatif", "space")
ODD = ("=1+1", "<b>**x**</b> $1$ | `y`")  # a formula, and what would be markup


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(folder with the home of a store and the data of one of its tasks, id of the trained experiment)."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPT_HOME", str(folder / "home"))
        return folder, own_tasks.trained(folder / "home", folder / "data")


@pytest.fixture
def opened(home: Path, made: tuple[Path, str]) -> Iterator[Store]:
    """The trained store in this test's home; the task of a file reads a folder of all tests, which must stay."""
    shutil.copytree(made[0] / "home", home, dirs_exist_ok=True)
    store = Store(home)
    yield store
    store.close()


@pytest.fixture
def data(made: tuple[Path, str]) -> Iterator[Path]:
    """The data of the task of a file, put back after the test."""
    folder = made[0] / "data" / "second"
    shutil.copytree(folder, made[0] / "safe")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    (made[0] / "safe").rename(folder)


def words(app: AppTest) -> str:
    parts = (app.title, app.header, app.markdown, app.caption, app.error, app.info, app.warning, app.code)
    return re.sub(r"\\(.)", r"\1", "\n".join(element.value for part in parts for element in part))


def run_of(store: Store, method: str = "spp") -> str:
    return next(run.id for run in store.runs() if run.method == method)


def visited(visit: Callable[..., AppTest], store: Store, page: str) -> AppTest:
    run = run_of(store)
    return visit(page, exp=store.run(run).experiment) if page in ("home", "learn") else visit(page, run=run)


def lose(store: Store, data: Path) -> None:
    shutil.rmtree(data)
    own.forget(KEPT)


def change(store: Store, data: Path) -> None:
    (data / "dev.csv").write_text(own_tasks.rows(("no", "yes"), 1))
    (own.tasks_folder() / KEPT / "dev.csv").write_text("text,label\nthe chef is in the attic,in\n")


SAID: dict[Callable[[Store, Path], None], str] = {
    lose: "The rows of shelter and mill can no longer be read",
    change: "The rows of shelter and mill are no longer those that these runs were scored on",
}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens(visit: Callable[..., AppTest], opened: Store, page: str) -> None:
    app = visited(visit, opened, page)
    assert not app.exception and not app.error and "The rows of" not in words(app)


@pytest.mark.parametrize(("page", "harm"), [*((page, lose) for page in PAGES), ("accuracy", change), ("runs", change)])
def test_every_page_opens_without_the_rows(visit: Callable[..., AppTest], opened: Store, data: Path, page: str,
                                           harm: Callable[[Store, Path], None]) -> None:
    harm(opened, data)
    app = visited(visit, opened, page)
    assert not app.exception and not app.error
    assert (words(app).count(SAID[harm]) == 1) == (page != "home")


@pytest.mark.parametrize("harm", SAID, ids=["gone", "changed"])
def test_what_no_longer_works_is_said_where_it_would_be(visit: Callable[..., AppTest], opened: Store, data: Path,
                                                        harm: Callable[[Store, Path], None]) -> None:
    run = run_of(opened)
    experiment = opened.run(run).experiment
    before = visit("accuracy", exp=experiment, task=FILED, method="spp")
    assert not before.exception and "sentences" not in words(before) and "dev rows)." in words(before)
    harm(opened, data)
    for task in (FILED, KEPT) if harm is lose else (FILED,):
        behind = visit("accuracy", exp=experiment, task=task, method="spp")
        assert not behind.exception and not behind.error and f"The answers on '{task}' cannot be shown" in words(behind)
        assert not any("wrong" in one.value for one in behind.dataframe)
        edit = visit("whatif", run=run, edit="mute=s0")
        assert not edit.exception and len(edit.error) == 1 and edit.header[0].value == "Change"
        bench = visit("whatif", run=run, part="sentence", task=task)
        assert not bench.exception and "cannot be shown, but you can type a text" in words(bench)
        assert not visit("whatif", run=run, part="ablation").exception
    assert "of 12 answers" in words(visit("accuracy", exp=experiment, task="demo-mood", method="spp"))


@pytest.mark.parametrize("harm", SAID, ids=["gone", "changed"])
def test_report_and_exports_are_whole_without_the_rows(opened: Store, data: Path, harm: Callable[[Store, Path], None],
                                                       tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    identity = opened.run(run_of(opened)).experiment
    harm(opened, data)
    assert KEPT in report.report(opened.experiment(identity), opened.runs(identity), {}, 0.0)
    assert main(["export", identity, "--format", "csv", "--out", str(tmp_path / "csv")]) == 0
    assert capsys.readouterr().err.count(f"right answers of task '{FILED}' are left out") == 1
    with (tmp_path / "csv" / "predictions.csv").open() as file:
        gold = {row["task"]: row["gold"] for row in csv.DictReader(file)}
    assert gold[FILED] == "" == gold[KEPT] and gold["demo-mood"]
    assert main(["export", identity, "--format", "bundle", "--out", str(tmp_path / "it.zip")]) == 0
    assert ("are not in it" in capsys.readouterr().err) == (harm is lose)


def test_the_command_trains_the_same_again(visit: Callable[..., AppTest], opened: Store, data: Path, tmp_path: Path
                                           ) -> None:
    record = opened.experiment(opened.run(run_of(opened)).experiment)
    settings = Experiment.model_validate(record.config)
    line, notes = command.again(settings, record.tasks)
    assert notes == [] and line.endswith(f"--task {data / 'about.yaml'}") and f"demo-mood,{KEPT},{FILED}" in line
    found = own.catalogue(settings.tasks, None, [data / "about.yaml"])
    assert found.only(settings.tasks) == record.tasks
    shown = visit("runs", exp=record.id)
    assert not shown.exception
    retitled = replace(record.tasks[KEPT], title="Where people are", family="places", source="made up")
    files = {path.name: path.read_bytes() for path in (own.tasks_folder() / KEPT).glob("*.csv")}
    assert own.keep(retitled, files, replaces=True).title and command.again(settings, record.tasks) == (line, [])
    data.rename(data.with_name("moved"))
    assert "mill is no longer on this machine" in command.again(settings, record.tasks)[1][0]
    shutil.rmtree(data.with_name("moved"))
    own.forget(KEPT)
    own.keep_folder(definition.read(own_tasks.write(tmp_path / "new", KEPT, ("a", "b"))))
    assert "shelter is another one by now" in command.again(settings, record.tasks)[1][0]


def test_a_settings_file_names_a_kept_task(opened: Store, tmp_path: Path) -> None:
    experiment = opened.experiment(opened.run(run_of(opened)).experiment)
    settings = Experiment.model_validate(experiment.config).model_copy(update={"tasks": (KEPT,), "seeds": (7,)})
    (tmp_path / "it.yaml").write_text(to_yaml(settings))
    assert main(["run", "--config", str(tmp_path / "it.yaml"), "--methods", "pt"]) == 0
    newest = opened.experiments(1)[0]
    assert newest.config["tasks"] == [KEPT] and newest.tasks == experiment.tasks.only([KEPT])


def test_an_imported_experiment_is_a_visitors_to_delete(visit: Callable[..., AppTest], opened: Store, tmp_path: Path
                                                        ) -> None:
    identity = opened.run(run_of(opened)).experiment
    with (tmp_path / "it.zip").open("wb") as file:
        carry.pack(opened, identity, file)
    for run in opened.runs(identity):
        opened.delete(run.id)
    carry.unpack(opened, tmp_path / "it.zip")
    assert opened.experiment(identity).owner == IMPORTED
    for page in ("home", "accuracy", "whatif"):
        app = visited(visit, opened, page)
        assert not app.exception and not app.error and "The rows of" not in words(app), page
        assert page == "home" or "imported, not trained here" in words(app)
    app = visit("runs", exp=identity)
    app.checkbox[0].check().run()
    app.button(key="delete").click().run()
    assert not app.exception and not opened.experiments() and not (opened.home / "imported" / identity).exists()


def test_names_and_label_words_are_shown_as_they_are(home: Path, made: tuple[Path, str], visit: Callable[..., AppTest],
                                                     tmp_path: Path) -> None:
    """A store whose task has a formula for a label, and markup in its title, family and label."""
    shutil.copytree(made[0] / "home", home, dirs_exist_ok=True)
    store = Store(home)
    record = store.experiment(store.run(run_of(store)).experiment)
    odd = replace(record.tasks[FILED], labels=ODD, title="<script>**t**</script>", description=ODD[1], family=ODD[1],
                  columns=(ODD[1],), fields=("**f**",))
    with store._database.write() as connection:
        connection.execute(update(experiments).values(
            task_definitions=Catalogue({**record.tasks, FILED: odd}).written()))
    run = run_of(store)
    for page in ("learn", "accuracy", "attention", "space"):
        app = visited(visit, store, page)
        assert not app.exception and not any("<b>**x**" in one.value for one in app.markdown), page
    bench = visit("whatif", run=run, part="sentence", task=FILED)
    assert not bench.exception and [one.label for one in bench.text_area] == [captions.literal(ODD[1])]
    page = report.report(store.experiment(record.id), store.runs(record.id), {}, 0.0)
    assert "<b>**x**" not in page and "<script>**t**" not in page
    assert main(["export", run, "--format", "csv", "--out", str(tmp_path / "csv")]) == 0
    with (tmp_path / "csv" / "predictions.csv").open() as file:
        said = {row["predicted"] for row in csv.DictReader(file) if row["task"] == FILED}
    assert said and said <= {"'=1+1", ODD[1]}
    cells = frames.summarise(frames.scores(store.runs(record.id)))
    assert FILED in exports.latex(cells, ODD[1]).decode() and r"\$1\$" in exports.latex(cells, ODD[1]).decode()
    assert b"\n'=1+1," in exports.table(pd.DataFrame({"text": [ODD[0]], "=2": [ODD[1]]}))
    store.close()
