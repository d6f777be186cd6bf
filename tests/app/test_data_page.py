"""The page Data: every task explained, a task of one's own from an upload to Launch; no slip loses anything."""

from __future__ import annotations

import io
import zipfile

import pytest

from app.data import drafting, pieces, unfinished
from app.data.pieces import Reader
from app.show.captions import plain
from app.ui import drafts, services, uploads
from compt_core.backbone.load import find_backbone
from compt_core.errors import DataError
from compt_core.tasks import own
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import Row, Task
from compt_core.tasks.table import TASKS

CSV = "id,first,second,note,answer\n" + "".join(
    f"{i},The dog was loved {'in spring ' * (i % 9)}.,The chef hated the cat {'in winter ' * (i // 9)}.,x,"
    f"{('alike', 'opposite', 'shared')[i % 3]}\n" for i in range(60))


def words(app):
    """All prose of a page, without the marks that keep Markdown off it."""
    parts = (app.header, app.markdown, app.caption, app.error, app.success, app.warning)
    return plain([element.value for part in parts for element in part])


def red(app):
    return [plain([part.value]) for part in app.markdown if part.value.startswith(":red[:material/error:")]


def upload(app, text=CSV, name="my table.csv", split="train"):
    data = text if isinstance(text, bytes) else text.encode()
    number = app.session_state["own_round"]
    app.file_uploader(key=f"own_file_{split}_{number}").set_value((name, data, "text/csv")).run()
    assert not app.exception
    return app


def draft_of(app):
    found = app.query_params["draft"]
    return found if isinstance(found, str) else found[0]


def role(app, column, what):
    app.get_by_key(f"own.role.{column}").set_value(what).run()
    assert not app.exception


@pytest.fixture
def form(visit):
    return visit("data", mode="own")


@pytest.mark.parametrize("name", list(TASKS))
def test_every_task_is_explained_and_read_or_said_to_be_elsewhere(visit, name):
    app = visit("data", task=name)
    assert not app.exception and not app.error and not app.warning
    assert "What makes an answer right" in words(app) and len(TASKS[name].description) > 50
    if TASKS[name].bundled:
        examples = [part.value for part in app.markdown if "-background[" in part.value and " → " in part.value]
        assert len(examples) == (3 if TASKS[name].numeric else len(TASKS[name].labels))
    else:
        assert "not on this machine" in words(app)


def test_a_description_changes_no_digest():
    for task in TASKS.values():
        assert "description" not in repr(task.digest("neutral"))
    said = TASKS["demo-mood"].description
    assert "'opposite'" in said and "'alike'" in said


def test_a_row_is_read_as_the_model_reads_it_and_what_is_cut_is_told():
    files = find_backbone("demo")
    task = TASKS["demo-mood"]
    row = load_task(task, None).train[0]
    reading = Reader(files, task, "neutral", 128).read(row)
    assert reading.cut == 0 and reading.read == len(reading.pieces) + 1  # with </s>
    short = Reader(files, task, "neutral", 12).read(row)
    assert short.read == 12 and short.cut == reading.read - 12
    assert sum(piece.cut for piece in short.pieces) == short.cut
    assert "~~" in pieces.markdown(short) and f"{short.cut} pieces cut" in pieces.markdown(short)
    odd = Reader(files, task, "neutral", 128).read(Row(("The dog loved Xylophones [x](y).", "<b>"), 0, 0.0))
    assert [piece.text for piece in odd.pieces if piece.kind == "unknown"][:1] == ["Xylophones"]
    assert r"\[x\]" in pieces.markdown(odd)


def test_columns_labels_and_split_are_guessed_and_the_task_is_kept_used_and_still_there(form, visit, home):
    app = upload(form)
    assert app.session_state["own.roles"] == {"id": "not used", "first": "text 1", "second": "text 2",
                                              "note": "not used", "answer": "label"}
    assert app.text_input(key="own.name").value == "my-table" and "There is one file, so 20%" in words(app)
    assert "**48** training rows".replace("*", "") in words(app)
    app.text_input(key="own.before.first").set_value("premise").run()
    app.text_input(key="own.word.answer.shared").set_value("").run()
    assert "Left out: 20 rows with the label shared" in words(app) and "20 rows left out" in words(app)
    app.text_input(key="own.title").set_value("<b>Mine</b>").run()
    app.button(key="keep").click().run()
    assert not app.exception and "The task 'my-table' is kept" in words(app)
    kept = own.kept()["my-table"]
    assert kept.fields == ("premise", "second") and kept.labels == ("alike", "opposite")
    assert kept.left_out == ("shared",) and kept.title == "<b>Mine</b>"
    assert app.query_params["task"] in ("my-table", ["my-table"])

    again = visit("data", task="my-table")  # a fresh session
    assert not again.exception and r"\<b\>Mine" in again.header[0].value
    again.button(key="use").click().run()
    assert not again.exception and again.multiselect(key="form.tasks").value == ["my-table"]
    assert again.get_by_key("families.own").value == ["all"] or "my-table" in str(again.get_by_key("families.own"))
    for name, value in {"shots": "4", "steps": 1}.items():
        again.session_state[drafts.key(name)] = value
    again.switch_page("../pages/launch.py").run()
    again.button(key="check").click().run()
    assert not again.exception and "Nothing was queued" not in words(again), words(again)
    assert "own: 1 my-table" in words(again)


def test_a_click_on_a_role_swaps_and_a_missing_one_is_said_with_nothing_lost(form):
    app = upload(form)
    app.text_input(key="own.name").set_value("mine").run()
    role(app, "second", "text 1")
    assert app.session_state["own.roles"]["first"] == "text 2"
    role(app, "answer", "not used")
    assert "No column is the label yet" in red(app)[0] and app.button(key="keep").disabled
    role(app, "id", "label")
    assert app.text_input(key="own.name").value == "mine" and not app.exception
    role(app, "first", "not used")
    role(app, "second", "not used")
    assert "No column is a text yet" in " ".join(red(app))
    role(app, "second", "text 1")
    role(app, "answer", "label")
    assert not red(app) and not app.button(key="keep").disabled


def test_two_labels_with_one_word_and_a_taken_name_are_sentences_beside_their_fields(form):
    app = upload(form)
    app.text_input(key="own.word.answer.shared").set_value("alike").run()
    assert "Two labels have the word 'alike'" in " ".join(red(app)) and app.button(key="keep").disabled
    app.text_input(key="own.word.answer.shared").set_value("shared").run()
    for name, said in (("demo-mood", "There is a task 'demo-mood' already"), ("Bad name", "lower-case"), ("", "name")):
        app.text_input(key="own.name").set_value(name).run()
        assert said in " ".join(red(app)) and app.button(key="keep").disabled


def test_numbers_have_a_range_and_can_be_taken_as_names(form):
    text = "a,b,score\n" + "".join(f"the dog {'in spring ' * i},the cat,{(i % 11) / 2}\n" for i in range(33))
    app = upload(form, text, "sim.csv")
    assert app.session_state["own.kind"] == "numbers" and app.number_input(key="own.high").value == 5
    app.number_input(key="own.step").set_value(0.0).run()
    assert "must go from one number to a larger one" in " ".join(red(app))
    app.number_input(key="own.step").set_value(0.5).run()
    assert not red(app)
    app.get_by_key("own.kind").set_value("words").run()
    assert not app.exception and app.text_input(key="own.word.score.2.5").value == "2.5"
    app.get_by_key("own.kind").set_value("numbers").run()
    app.button(key="keep").click().run()
    assert own.kept()["sim"].numeric and own.kept()["sim"].metrics == ("pearson", "spearman")


def test_dev_rows_of_their_own_may_come_later_and_keep_what_was_chosen(form):
    app = upload(form)
    app.text_input(key="own.before.first").set_value("premise").run()
    upload(app, CSV.replace("The dog", "The cat"), "dev.csv", "dev")
    assert app.text_input(key="own.before.first").value == "premise" and "There is one file" not in words(app)
    app.button(key="keep").click().run()
    assert own.kept()["my-table"].files.dev == "dev.csv"


def test_other_files_with_words_as_labels_are_not_held_for_numbers(form):
    rows = "text,score\n" + "".join(f"some text {i},{i % 7 / 2}\n" for i in range(60))
    app = upload(form, rows)
    assert app.number_input(key="own.high").value == 3.0
    upload(app, "text,score\n" + "".join(f"some text {i},{'good' if i % 2 else 'bad'}\n" for i in range(60)))
    assert app.text_input(key="own.word.score.good").value == "good" and not red(app)
    assert not app.button(key="keep").disabled


@pytest.mark.parametrize(("data", "name", "said"), [
    (b"", "a.csv", "is empty"), (b"a,b\n1\n", "../../etc/x.csv", "must have 2 cells"),
    (b"PK\x03\x04 no zip", "a.xlsx", "cannot be read as xlsx"), (b"PAR1 no parquet", "a.parquet", "cannot be read"),
    (b'{"a": "x \\ud800", "b": "y"}', "a.jsonl", "half a character"),
])
def test_a_wrong_file_is_a_sentence_and_the_one_before_stays(form, home, data, name, said):
    app = upload(form)
    app.file_uploader(key="own_file_train_0").set_value((name, data, "")).run()
    assert not app.exception and said in " ".join(red(app)) and str(home) not in " ".join(red(app))
    assert app.session_state["own.roles"]["answer"] == "label" and not app.button(key="keep").disabled


def test_packed_files_that_unpack_to_too_much_are_refused():
    import pyarrow as pa
    from pyarrow import parquet

    made = io.BytesIO()
    parquet.write_table(pa.table({f"c{i}": [1] * 300_000 for i in range(8)}), made)
    with pytest.raises(DataError, match="more than 100 MB or 2,000,000 cells"):
        uploads.checked("a.parquet", made.getvalue(), uploads.OF_TABLES)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * 120_000_000)
    with pytest.raises(DataError, match="unpacks to 120 MB"):
        uploads.checked("a.xlsx", bomb.getvalue(), uploads.OF_TABLES)


def test_a_table_without_label_or_text_can_still_be_told_what_it_is(form):
    app = upload(form, "x,y\n" + "".join(f"{i},{i}\n" for i in range(9)))
    assert not app.exception and "can be the text" in words(app) and red(app)


def test_hostile_names_of_columns_and_labels_are_shown_as_text(form):
    text = 'a :red[hi],"<img src=x> `z`"\n' + "".join(f"dog {i},{'**b**' if i % 2 else '$a$'}\n" for i in range(20))
    app = upload(form, text, "<b>x</b>.csv")
    assert not app.exception
    shown = [part.value for kind in (app.markdown, app.caption) for part in kind]
    assert not any("<img" in text.replace(r"\<img", "") or "<b>" in text.replace(r"\<b\>", "") for text in shown)
    assert any(r"\*\*b\*\*" in text for text in shown)


@pytest.fixture
def kept(home):
    task = Task("mine", "own", "mine", ("first", "second"), ("alike", "opposite", "shared"), indexed=False,
                label_column="answer", fields=("first", "second"))
    from dataclasses import replace

    from compt_core.tasks.spec import Files
    return own.keep(replace(task, files=Files(str(home), "train.csv")), {"train.csv": CSV.encode()})


def test_a_kept_task_can_be_edited_taken_along_and_deleted(visit, kept):
    app = visit("data", task="mine")
    app.button(key="edit").click().run()
    assert not app.exception and app.text_input(key="own.name").value == "mine"
    assert "mine: 60 rows" in words(app) and "train.csv" not in words(app)
    app.text_input(key="own.title").set_value("How two relate").run()
    assert "How two relate: 60 rows" in words(app)
    app.text_input(key="own.word.answer.alike").set_value("same").run()
    app.button(key="keep").click().run()
    assert not app.exception and own.kept()["mine"].labels == ("same", "opposite", "shared")
    from app.data import keeping

    with zipfile.ZipFile(io.BytesIO(keeping.packed(own.kept()["mine"]))) as packed:
        assert packed.namelist() == ["mine/task.yaml", "mine/train.csv"]
    assert app.button(key="delete_task").disabled
    app.checkbox(key="sure-mine").check().run()
    app.button(key="delete_task").click().run()
    assert not app.exception and "mine" not in own.kept() and "is deleted" in words(app)


def test_a_task_that_runs_need_is_deleted_only_on_a_second_click(visit, kept, lab):
    services.store()
    lab.store.submit(drafts.build(drafts.from_preset("demo") | {"tasks": ["mine"]})[0], tasks=own.known())
    app = visit("data", task="mine")
    assert not app.exception and "stored runs are on this task" in words(app)
    assert app.button(key="delete_task").disabled


def test_a_wrong_link_is_a_sentence(visit):
    app = visit("data", task="<b>no</b>", mode="zzz")
    assert not app.exception and len(app.warning) == 2
    assert "'zzz'" in words(app) and "which there is not" in words(app)
    assert "You see “Look at a task”." in words(app) and "'known'" not in words(app)


def test_a_folder_of_an_unknown_task_is_checked_and_what_was_guessed_is_said(visit, tmp_path):
    folder = tmp_path / "data" / "found"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text(CSV)
    draft = drafts.from_preset("demo") | {"tasks": ["found"], "data_dir": str(tmp_path / "data")}
    experiment, issues = drafts.build(draft)
    assert not issues
    checked, issues = services.check(experiment)
    assert not issues and any("the text is 'first' and 'second'" in note for note in checked.notes)
    assert drafts.build(draft | {"tasks": ["nowhere"]})[1][0].field == "tasks"


def test_a_row_that_loses_its_end_is_among_the_examples(form):
    app = upload(form)
    app.number_input(key="data.max_tokens").set_value(20).run()
    assert not app.exception and any("~~" in part.value and "pieces cut" in part.value for part in app.markdown)
    app.number_input(key="data.max_tokens").set_value(4).run()
    assert not app.exception and "must leave room for some text" in words(app)


def test_files_that_somebody_deleted_are_a_sentence_with_a_way_on(form, home):
    import shutil

    from app.data import reading

    app = upload(form)
    shutil.rmtree(home / "uploads")
    reading._table.cache_clear()
    app.run()
    assert not app.exception and not app.error and "cannot be read" in " ".join(red(app))
    app.button(key="own_again").click().run()
    assert not app.exception and not red(app)
    assert upload(app).text_input(key="own.name").value == "my-table"


def test_another_page_and_back_loses_nothing(form):
    app = upload(form)
    app.text_input(key="own.name").set_value("mine").run()
    app.text_input(key="own.word.answer.shared").set_value("").run()
    role(app, "note", "text 3")
    app.switch_page("../pages/launch.py").run()
    app.query_params["mode"] = "own"
    app.switch_page("../pages/data.py").run()
    assert not app.exception and app.text_input(key="own.name").value == "mine"
    assert app.text_input(key="own.word.answer.shared").value == ""
    assert app.session_state["own.roles"]["note"] == "text 3"


def test_a_task_is_added_to_what_launch_has(visit, kept):
    app = visit("launch")
    app.multiselect(key="form.tasks").set_value(["demo-mood"]).run()
    app.text_input(key="form.shots").set_value("4").run()
    app.query_params["task"] = "mine"
    app.switch_page("../pages/data.py").run()
    app.button(key="add").click().run()
    assert not app.exception and app.multiselect(key="form.tasks").value == ["demo-mood", "mine"]
    assert app.text_input(key="form.shots").value == "4"


def test_a_column_with_too_many_labels_is_a_sentence(form):
    app = upload(form, "a,b,c\n" + "".join(f"dog {i},{'xy'[i % 2]},n{i}\n" for i in range(300)))
    role(app, "c", "label")
    assert "has 300 different labels, more than 200" in " ".join(red(app))
    assert not [field for field in app.text_input if str(field.key).startswith("own.word.c.")]


def test_a_label_that_only_dev_rows_have_gets_a_word_too(form):
    app = upload(form)
    upload(app, CSV.replace("The dog", "The cat") + "61,The dog,The cat,x,fourth\n", "dev.csv", "dev")
    assert app.text_input(key="own.word.answer.fourth").value == "fourth" and not red(app)


def test_roles_are_swapped_and_never_given_twice():
    roles = {"a": "text 1", "b": "label", "c": "not used"}
    assert drafting.swapped(roles, "c", "label") == {"a": "text 1", "b": "not used", "c": "label"}
    assert drafting.swapped(roles, "a", "label") == {"a": "label", "b": "text 1", "c": "not used"}
    assert drafting.choices(roles) == ["text 1", "text 2", "label", "not used"]
    assert drafting.suggested("../../Mein Täsk (2).csv", []) == "mein-t-sk"
    assert drafting.suggested("train.csv", []) == drafting.suggested("all.xlsx", []) == ""  # it would say nothing


def test_a_table_without_names_of_columns_keeps_its_first_row(form):
    """The columns are called by their numbers; dev rows that come later are read the same way."""
    rows = "".join(f"{('glad', 'sad')[i % 2]}\tThe dog was loved {'in spring ' * (i % 9)}{i}.\n" for i in range(40))
    upload(form, rows, "moods.tsv")
    assert form.get_by_key("own.role.column 1").value == "label"
    assert form.get_by_key("own.role.column 2").value == "text 1"
    assert "moods.tsv: 40 rows, 2 columns" in words(form) and "'moods.tsv' has no names of columns" in words(form)
    upload(form, "sad\tThe cat was in the attic.\nglad\tThe cat was in spring.\n", "later.tsv", "dev")
    assert "2 dev rows" in words(form) and not red(form)
    form.get_by_key("keep").click().run()
    assert not form.exception and own.kept()["moods"].columns == ("column 2",)
    assert len(load_task(own.kept()["moods"], None).train) == 40


def test_a_reload_goes_on_with_the_draft_until_it_is_kept(form, visit, home):
    app = upload(form)
    app.text_input(key="own.name").set_value("mine").run()
    app.text_input(key="own.word.answer.shared").set_value("").run()
    role(app, "note", "text 3")
    link = draft_of(app)
    again = visit("data", mode="own", draft=link)  # a fresh session
    assert not again.exception and not red(again) and again.text_input(key="own.name").value == "mine"
    assert again.text_input(key="own.word.answer.shared").value == ""
    assert again.session_state["own.roles"]["note"] == "text 3" and draft_of(again) == link
    again.text_input(key="own.before.first").set_value("premise").run()
    again.button(key="keep").click().run()
    assert own.kept()["mine"].fields == ("premise", "second", "note") and own.kept()["mine"].left_out == ("shared",)
    assert not list((home / "drafts").glob("*.json")) and not list((home / "uploads").glob("*/own"))
    late = visit("data", mode="own", draft=link)
    assert not late.exception and len(red(late)) == 1 and "no longer here" in red(late)[0]


def test_a_draft_is_found_again_without_its_link_and_dropped_on_request(form, visit, home):
    upload(form, name="<b>mine</b>.csv")
    app = visit("data", mode="own")
    [listed] = [one for one in app.button if str(one.key).startswith("draft_")]
    assert r"\<b\>mine" in listed.label
    listed.click().run()
    assert not app.exception and app.session_state["own.roles"]["answer"] == "label"
    app.button(key="own_again").click().run()
    assert not app.exception and "draft" not in app.query_params and not list((home / "drafts").glob("*.json"))


def test_two_people_in_one_draft_lose_nothing(form, visit):
    app = upload(form)
    link = draft_of(app)
    other = visit("data", mode="own", draft=link)
    other.text_input(key="own.name").set_value("theirs").run()
    app.text_input(key="own.name").set_value("mine").run()
    assert draft_of(other) == link != draft_of(app)
    assert {draft.values["own.name"] for _, draft, _ in unfinished.newest()} == {"theirs", "mine"}


@pytest.mark.parametrize("link", ["../../etc/passwd", "0" * 16, "0" * 16 + "\n", "x", "é" * 16, "a" * 9000])
def test_a_wrong_link_to_a_draft_is_one_sentence(visit, link):
    app = visit("data", mode="own", draft=link)
    assert not app.exception and not app.error and len(red(app)) == 1 and "no longer here" in red(app)[0]


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"folder": "../..", "files": {"train": "train.csv"}, '
                                  '"names": {"train": "a"}, "values": {}}', '{"folder": 1}', "\x00"])
def test_a_damaged_draft_is_one_sentence(visit, home, text):
    (home / "drafts").mkdir()
    (home / "drafts" / f"{'a' * 16}.json").write_text(text)
    app = visit("data", mode="own", draft="a" * 16)
    assert not app.exception and not app.error and len(red(app)) == 1 and "cannot be read" in red(app)[0]
    assert upload(app).text_input(key="own.name").value == "my-table" and not red(app)


def test_old_drafts_are_cleaned_up_with_their_files(form, visit, home):
    import os

    upload(form)
    [old] = (home / "drafts").glob("*.json")
    os.utime(old, (0, 0))
    upload(visit("data", mode="own"), CSV.replace("dog", "cat"), "other.csv")
    assert [draft.upload.names["train"] for _, draft, _ in unfinished.newest()] == ["other.csv"]
    assert len(list((home / "uploads").glob("*/own"))) == 1
