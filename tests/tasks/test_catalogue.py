"""Tasks by name, and their definitions as JSON: what is written is read again, and what is no definition is told."""

from __future__ import annotations

import json
import pickle
from dataclasses import fields, replace

import pytest
from pydantic import ValidationError

from compt_core.errors import ConfigError, DataError
from compt_core.tasks.catalogue import Catalogue, read
from compt_core.tasks.spec import Files, Question, Task
from compt_core.tasks.table import CATALOGUE, TASKS

OWN = Task("mine", "own", "tickets", ("subject", "body"), ("low", "high"), ("f1", "accuracy"), ("a/b", None, "x", "y"),
           native="mine", question=Question("How urgent?", ("subject", "text"), ("not", "very")),
           label_column="urgency", aliases=(("urgent", "high"),), hub_names=("0", "1"))


def test_every_task_is_read_as_it_was_written() -> None:
    all_of_them = Catalogue({**TASKS, "mine": OWN})
    again = read(json.loads(json.dumps(all_of_them.written())))
    assert again == all_of_them and list(again) == [*TASKS, "mine"]
    assert all(again[name].digest("question") == task.digest("question") for name, task in all_of_them.items())
    assert all(hash(again[name]) == hash(task) for name, task in all_of_them.items())  # tuples, no lists
    assert set(OWN.__dict__) == {field.name for field in fields(Task)} == {"name", *all_of_them.written()["mine"]}


def test_fields_of_a_later_version_are_left_out_and_those_it_lacks_have_their_defaults() -> None:
    written = {"columns": ["text"], "labels": ["a", "b"], "metrics": ["accuracy"], "suite": "x", "family": "y"}
    assert read({"t": written | {"of_tomorrow": 1}})["t"] == Task("t", "x", "y", ("text",), ("a", "b"))


def test_definitions_of_the_version_before_keep_opening() -> None:
    new = {"title", "description", "source", "licence", "word", "fields", "indexed", "left_out", "files"}
    before = {name: {field: value for field, value in one.items() if field not in new}
              for name, one in CATALOGUE.written().items()}
    again = read(json.loads(json.dumps(before)))
    assert all(again[name].digest(style) == task.digest(style) for name, task in TASKS.items()
               for style in ("neutral", "native", "question"))
    own = Catalogue({"mine": replace(OWN, files=Files("/there", "a.csv", "b.csv"))}).written()["mine"]
    own["files"] = {"folder": "/there", "train": "a.csv", "dev": "b.csv"}
    assert read({"mine": own})["mine"].files == Files("/there", "a.csv", "b.csv")


@pytest.mark.parametrize(("change", "said"), [
    ({"labels": []}, "labels"), ({"labels": "ab"}, "labels"), ({"columns": [1]}, "columns"),
    ({"metrics": ["x"]}, "metrics"), ({"metrics": []}, "metrics"), ({"numeric": 1}, "numeric"),
    ({"numeric": True}, "should have numbers as labels"), ({"hub": ["a"]}, "hub"), ({"aliases": [["a"]]}, "aliases"),
    ({"numeric": True, "labels": ["0", "nan"]}, "should have numbers as labels"), ({"family": None}, "family"),
    ({"native": None}, "native")])
def test_what_is_no_definition_is_told(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        read({"mine": Catalogue({"mine": OWN}).written()["mine"] | change})


@pytest.mark.parametrize("found", [None, 3, [], "x", {"a": 3}, {"a": {}}])
def test_what_is_no_catalogue_is_told(found: object) -> None:
    with pytest.raises(ValidationError):
        read(found)


def test_it_stays_what_it_is_through_a_cache_and_changes_with_its_table() -> None:
    own = Catalogue({"mine": OWN})
    assert pickle.loads(pickle.dumps(own)) == own and own != Catalogue({"mine": replace(OWN, native="")})
    table = dict(TASKS)
    assert "mine" not in (alive := Catalogue(table))
    table["mine"] = OWN
    assert alive["mine"] is OWN


def test_a_task_that_is_not_known_is_its_own_family_and_has_the_metrics_of_its_scores() -> None:
    own = Catalogue({"mine": OWN})
    assert (own.family("mine"), own.family("gone")) == ("tickets", "gone")
    assert own.metrics("mine", ["accuracy", "f1"]) == ["f1", "accuracy"]
    assert own.metrics("mine", ["pearson"]) == ["pearson"] and own.metrics("gone", ["b", "a"]) == ["b", "a"]
    assert own.primary({"mine": {"accuracy": 1.0, "f1": 0.5}, "gone": {"b": None}}) == {"mine": "f1", "gone": "b"}
    assert CATALOGUE.numeric(["stsb"]) and not CATALOGUE.numeric(["sst2", "gone"])


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"There is no task 'sst'\. Did you mean 'sst2'\?"):
        CATALOGUE.named(["rte", "sst"])
    with pytest.raises(ConfigError, match=r"There is no task 'sst'\.$"):
        Catalogue().named(["sst"])
    with pytest.raises(DataError, match="the store holds no definition of task 'gone'"):
        CATALOGUE.needed("gone")
    assert CATALOGUE.needed("rte") is TASKS["rte"] and list(CATALOGUE.only(["rte", "gone", "cola"])) == ["rte", "cola"]
