"""Which published checkpoints have seen GLUE, by their names."""

from __future__ import annotations

import pytest

from compt_core.tasks.seen import FAMILIES, family, seen_before, seen_glue


@pytest.mark.parametrize(("ref", "name", "seen"), [
    ("google-t5/t5-small", "original T5", "yes"), ("t5-11b", "original T5", "yes"),
    ("google-t5/t5-base@refs/pr/3", "original T5", "yes"), ("google/flan-t5-xxl", "FLAN-T5", "yes"),
    ("google/t5-v1_1-small", "T5 v1.1", "no"), ("google/t5-base-lm-adapt", "LM-adapted T5", "no"),
    ("google/mt5-small", "mT5", "no"), ("google/umt5-base", "UMT5", "no"), ("google/byt5-small@main", "ByT5", "no"),
    ("google/t5-efficient-tiny", "T5 Efficient", "no"), ("google/t5-efficient-base-dl2", "T5 Efficient", "no"),
])
def test_the_name_tells(ref: str, name: str, seen: str) -> None:
    found = family(ref)
    assert found is not None and found.name == name
    assert seen_glue(ref)[0] == seen
    glue, = seen_before({"glue"}, ref)
    assert name in glue and ("has not seen GLUE" in glue) == (seen == "no")
    assert "what a prompt can teach" in glue or seen == "no"


@pytest.mark.parametrize("ref", ["lab/t5-small", "mallory/flan-t5-small", "/models/google/flan-t5-small", "t5-smaller",
                                 "google/t5-small-ssm-nq", "google/flan-ul2", "englisch"])
def test_another_name_tells_nothing(ref: str) -> None:
    assert family(ref) is None and seen_glue(ref)[0] == "unknown"
    assert "FLAN-T5 was instruction-tuned" in seen_before(["glue"], ref)[0]


def test_the_english_backbone_is_of_the_family_flan_t5() -> None:
    assert seen_glue("english") == seen_glue("google/flan-t5-small")


def test_the_demo_has_seen_nothing_of_it() -> None:
    assert seen_glue("demo")[0] == "no"


def test_only_suites_that_were_trained_on_are_spoken_of() -> None:
    assert seen_before({"demo", "english"}, "google-t5/t5-small") == []
    assert len(seen_before({"glue", "set2", "english"}, "google/flan-t5-small")) == 1  # not the same thrice
    assert len(seen_before({"glue", "set2"}, "google/t5-v1_1-small")) == 2
    assert "ag_news and rotten_tomatoes" in seen_before({"english"}, "english")[0]
    assert "mrpc and multinli" in seen_before({"set2"}, "google-t5/t5-small")[0]


def test_each_name_is_of_one_family() -> None:
    names = [one.name for one in FAMILIES]
    assert len(set(names)) == len(names)
