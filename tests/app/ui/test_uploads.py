"""Uploaded data: kept once by its contents, below the home folder only, and told in a sentence where it is wrong."""

from __future__ import annotations

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.data import rows as own_data
from app.launch import forms
from app.show.captions import plain
from app.ui import drafts, uploads
from app.ui.uploads import File
from compt_core.errors import DataError
from compt_core.tasks.files import load_task
from compt_core.tasks.table import TASKS

TRAIN = "sentence,label\n" + "".join(f"good {i},{'positive' if i % 2 else 'negative'}\n" for i in range(9))
DEV = "sentence,label\n" + "".join(f"fine {i},{i % 2}\n" for i in range(4))


def files(train=TRAIN, dev=DEV, ending="csv"):
    return {"train": File(ending, train.encode()), "dev": File(ending, dev.encode())}


def kept(home):
    """Everything below the uploads, as paths."""
    return sorted(str(path.relative_to(home / "uploads")) for path in (home / "uploads").rglob("*") if path.is_file())


def test_files_are_kept_by_their_contents_and_read_as_a_data_folder(home):
    folder, rows = uploads.keep(TASKS["sst2"], files())
    assert folder.parent == home / "uploads" and kept(home) == [f"{folder.name}/sst2/dev.csv",
                                                                f"{folder.name}/sst2/train.csv"]
    assert (len(rows.train), len(rows.dev)) == (9, 4)
    assert load_task(TASKS["sst2"], str(folder)).digest == rows.digest
    assert uploads.keep(TASKS["sst2"], files())[0] == folder and len(kept(home)) == 2
    assert uploads.keep(TASKS["sst2"], files(dev=DEV + "last,1\n"))[0] != folder
    assert uploads.keep(TASKS["sst2"], files(TRAIN.replace(",", "\t"), DEV.replace(",", "\t"), "tsv"))[0] != folder
    assert not list((home / "uploads").glob(".*"))


def test_uploads_of_several_tasks_come_into_one_folder(home):
    pair = "sentence1,sentence2,label\na {0},b {0},equivalent\nc {0},d {0},not_equivalent\n"
    first, _ = uploads.keep(TASKS["sst2"], files())
    both, _ = uploads.keep(TASKS["mrpc"], files(pair.format(1), pair.format(2)), str(first))
    assert [len(load_task(TASKS[name], str(both)).train) for name in ("sst2", "mrpc")] == [9, 2]
    other, _ = uploads.keep(TASKS["mrpc"], files(pair.format(1), pair.format(2)), str(home))
    assert [path.name for path in other.iterdir()] == ["mrpc"], "only a folder of uploads is taken along"
    again, _ = uploads.keep(TASKS["sst2"], files(), str(both))
    assert again == both, "the order of the uploads does not matter"


@pytest.mark.parametrize(("name", "ending"), [("a.csv", "csv"), ("../../x.TSV", "tsv"), ("a.b.jsonl", "jsonl"),
                                              ("x\x00/.csv", "csv"), ("x" * 5000 + ".csv", "csv")])
def test_of_a_file_name_only_the_ending_is_used(name, ending):
    assert uploads.checked(name, b"x") == File(ending, b"x")


@pytest.mark.parametrize("name", ["", "csv", "a.exe", "a.csv.pkl", "a.parquet", "a.csv/", "a.csv\n", "a.csv\x00", "a."])
def test_other_endings_are_refused_in_a_sentence(name):
    with pytest.raises(DataError, match=r"must end in \.tsv, \.csv, \.jsonl"):
        uploads.checked(name, b"x")


def test_a_file_has_an_upper_size(monkeypatch):
    monkeypatch.setattr(uploads, "MOST_BYTES", 3_000_000)
    assert uploads.checked("a.csv", bytes(3_000_000)).data
    with pytest.raises(DataError, match=r"has 3\.1 MB, more than 3\. Upload fewer rows"):
        uploads.checked("a.csv", bytes(3_100_000))


@pytest.mark.parametrize(("train", "dev", "sentence"), [
    ("", DEV, "The file 'sst2/train.csv' is empty."),
    ("text,label\nx,1\n", DEV, "in 'sst2/train.csv' has no column 'sentence'"),
    (TRAIN, "sentence,label\nx,glad\n", "in 'sst2/dev.csv', line 2 must be one of 'negative', 'positive'"),
    (TRAIN + "one cell\n", DEV, "'sst2/train.csv', line 11, must have 2 cells"),
    (DEV, DEV, "has only rows that are in its dev data"),
    ("\ud83d".encode("utf-16", "surrogatepass").decode("latin-1"), DEV, "sst2/train.csv"),
    (",".join(map(str, range(5000))) + "\n", DEV, "has 5,000 columns, more than 1,000"),
])
def test_what_is_wrong_is_one_sentence_and_nothing_is_kept(home, train, dev, sentence):
    with pytest.raises(DataError) as caught:
        uploads.keep(TASKS["sst2"], files(train, dev))
    assert sentence in str(caught.value) and str(home) not in str(caught.value)
    assert list((home / "uploads").iterdir()) == []


def test_all_problems_are_told_and_what_is_odd_is_said_beside_what_was_kept(home):
    with pytest.raises(DataError) as caught:
        uploads.keep(TASKS["sst2"], files(TRAIN + "x,glad\n", "sentence,lable\nx,1\n"))
    assert "'sst2/train.csv', line 11" in str(caught.value) and "'sst2/dev.csv' has no column" in str(caught.value)
    _, rows = uploads.keep(TASKS["sst2"], files(TRAIN + ",1\nsame,1\nsame,0\n"))
    assert own_data.kept(rows).endswith(
        "1 of 12 train rows of task 'sst2' has no text in the column 'sentence', the first in 'sst2/train.csv', line "
        "11. 1 text occurs in the train data of task 'sst2' with different labels, the first in 'sst2/train.csv', "
        "line 12 and line 13.")


def test_rows_with_names_of_their_own_do_not_grow_with_the_square(home):
    rows = "".join(f'{{"c{i}": 1}}\n' for i in range(20_000))
    with pytest.raises(DataError, match="has 20,000 columns"):
        uploads.keep(TASKS["sst2"], files(rows, rows, "jsonl"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.binary(max_size=200), st.sampled_from(uploads.ENDINGS), st.sampled_from(["sst2", "stsb", "mnli"]))
def test_any_bytes_are_read_or_refused(home, data, ending, task):
    with pytest.raises(DataError) as refused:  # train and dev are the same rows: refused for that at the latest
        uploads.keep(TASKS[task], {split: File(ending, data) for split in uploads.SPLITS})
    assert str(home) not in str(refused.value)


def test_all_uploads_together_have_an_upper_size(home, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_IN_ALL", 4 * uploads._BLOCK)
    folder, _ = uploads.keep(TASKS["sst2"], files())
    uploads.keep(TASKS["sst2"], files(dev=DEV + "last,1\n"))
    with pytest.raises(DataError, match="fill their 0 MB"):
        uploads.keep(TASKS["sst2"], files(dev=DEV + "another,1\n"))
    assert uploads.keep(TASKS["sst2"], files())[0] == folder, "what is kept already needs no room"
    assert len(kept(home)) == 4


def test_what_a_crash_left_is_removed_and_what_is_being_written_is_not(home):
    for name in (".upload-killed", ".upload-alive"):
        (home / "uploads" / name).mkdir(parents=True)
        (home / "uploads" / f"{name}.lock").touch()
    with FileLock(home / "uploads" / ".upload-alive.lock"):
        uploads.keep(TASKS["sst2"], files())
    assert sorted(path.name for path in (home / "uploads").glob(".*")) == [".upload-alive", ".upload-alive.lock"]


@pytest.mark.parametrize("name", uploads.upload_tasks())
def test_the_template_of_every_task_can_be_read_and_its_columns_are_named(home, name):
    task = TASKS[name]
    text = uploads.template(task)
    _, rows = uploads.keep(task, files(text.replace("example", "row"), text))
    assert len(rows.train) == len(rows.dev) == len(uploads.example_labels(task)) >= 2
    assert all(f"`{column}`" in own_data.columns(task) for column in (*task.columns, task.label_column))


@pytest.fixture
def form(visit):
    return visit("data", mode="rows")


def upload(app, task, train, dev, ending="csv"):
    app.selectbox(key="upload.task").set_value(task).run()
    for split, text in (("train", train), ("dev", dev)):
        sent = (f"../../{split}.{ending}", text.encode(), "text/csv")
        app.file_uploader(key=f"upload.{task}.{split}").set_value(sent)
    app.run()
    return app.button(key="upload").click().run()


def test_an_upload_sets_the_data_folder_and_the_task(form, home):
    assert form.button(key="upload").disabled
    upload(form, "sst2", TRAIN + "no label,-1\n", DEV)
    assert not form.exception
    folder = form.session_state[own_data.FOLDER]
    assert folder.startswith(str(home / "uploads"))
    assert any("9 training rows and 4 dev rows of sst2 are kept" in part.value
               and "Left out: 1 row without a label." in plain([part.value]) for part in form.markdown)
    form.button(key="use").click().run()
    assert not form.exception and form.text_input(key="form.data_dir").value == folder
    assert form.multiselect(key="form.tasks").value == ["sst2"]


def test_a_wrong_upload_is_a_sentence_beside_it_and_changes_nothing(form):
    upload(form, "sst2", "text,label\nx,1\n", DEV)
    assert not form.exception and own_data.FOLDER not in form.session_state
    assert any("has no column 'sentence'" in plain([part.value]) for part in form.markdown
               if part.value.startswith(":red["))


def test_unused_columns_of_an_upload_are_named_there_and_by_the_check(visit, tiny_t5):
    form = visit("home")
    draft = drafts.from_preset("demo") | {"tasks": ["cola"], "backbone": str(tiny_t5), "shots": "1", "seeds": "0-2"}
    for name, value in draft.items():
        form.session_state[forms.key(name)] = value
    form.query_params["mode"] = "rows"
    form.switch_page("../pages/data.py").run()
    wic = "word,sentence1,sentence2,label\n" + "".join(f"run,a {n},b {n},{n % 2}\n" for n in range(8))
    upload(form, "mrpc", wic, wic.replace(",a ", ",c "))
    said = "The data of task 'mrpc' has a column that is not used: 'word'."
    assert any("are kept" in part.value and said in plain([part.value]) for part in form.markdown)
    form.button(key="use").click().run()
    form.switch_page("../pages/launch.py").run()
    assert form.text_input(key="form.shots").value == "1", "the rest of the draft stays"
    form.button(key="check").click().run()
    box = next(one for one in form.expander if "about the data" in one.label)
    first, second = [plain([part.value]) for part in box.markdown]
    assert first == said and second.startswith("With 1 shot, 3 of 3 samples of task 'mrpc' lack a label")
    assert "0 to 1, depending on sample and label" in str(form.table[0].value)
