"""Edits as text: what is written reads back, and everything wrong is one sentence."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compt_core.errors import ComptError, ConfigError
from compt_core.whatif.edit import ALL, Edit, read, write
from compt_core.whatif.trained import Trained

TASKS, SOURCES = ("demo-echo", "yelp_polarity", "cola"), 4
RUN = Trained("abcdefghij", TASKS, "mean", "softmax", np.full((3, 4), 0.25, dtype=np.float32),
              np.zeros((3, 4), dtype=np.float32), *(np.ones(3, dtype=np.float32),) * 2,
              np.zeros((4, 2, 5), dtype=np.float32), np.zeros((3, 2, 5), dtype=np.float32),
              np.zeros((3, 2, 5), dtype=np.float32))
PT = replace(RUN, weights=None, logits=None, source=None)
MST = replace(RUN, weights=None, logits=None, source=None, private=None)

tasks = st.sampled_from((ALL, *TASKS))
gates = st.dictionaries(tasks, st.floats(0, 10), max_size=3)
weight = st.floats(0, 1)
rows = st.one_of(st.sampled_from(("uniform", "trained", "s0", "s3", *TASKS)), st.tuples(*[weight] * SOURCES))
edits = st.builds(
    Edit, normalizer=st.sampled_from((None, "sparsemax", "sigmoid")), rows=st.dictionaries(tasks, rows, max_size=3),
    mute=st.dictionaries(tasks, st.sets(st.integers(0, 3)).map(lambda found: tuple(sorted(found))), max_size=3),
    private=st.dictionaries(tasks, st.sampled_from(TASKS), max_size=3), alpha=gates, beta=gates,
    blend=st.none() | st.tuples(st.just("k2j4h5g6f7"), weight.filter(bool)))


@given(edits, st.booleans())
def test_what_is_written_reads_back(edit: Edit, renormalise: bool) -> None:
    edit = replace(edit, renormalise=renormalise and bool(edit.mute))
    assert read(write(edit), RUN) == edit
    assert write(read(write(edit), RUN)) == write(edit)


@given(st.text(max_size=60))
def test_any_text_is_an_edit_or_a_sentence(text: str) -> None:
    with contextlib.suppress(ComptError):  # no other error
        read(text, RUN)


def test_the_empty_edit_says_nothing_and_a_task_s_own_word_goes_before_the_one_for_all() -> None:
    assert not Edit() and write(Edit()) == "" and read(" ; ", RUN) == Edit()
    edit = read("alpha=.5; alpha:cola=0", RUN)
    assert edit and edit.of("alpha", "cola") == 0 and edit.of("alpha", "demo-echo") == 0.5
    assert edit.of("beta", "cola") is None


def test_a_swap_is_two_private_prompts_and_the_run_s_own_normaliser_is_no_change() -> None:
    assert read("swap:cola=demo-echo", RUN).private == {"cola": "demo-echo", "demo-echo": "cola"}
    assert not read("normalizer=softmax", RUN)


@pytest.mark.parametrize(("text", "said"), [
    ("mutes=s1", "must be one of normalizer=…"), ("mutes=s1", "Did you mean 'mute'?"), ("alpha", "must be one of"),
    ("mute=s4", "s0 to s3. Got 's4'"), ("mute:colla=s1", "Did you mean 'cola'?"), ("row=s9", "s0 to s3"),
    ("row=unifrom", "Did you mean 'uniform'?"), ("row=1,2", "4 weights in [0, 1]"), ("row=a,b", "4 weights in [0, 1]"),
    ("row=.2,.2,.2,nan", "4 weights in [0, 1]"), ("alpha=-1", "a number in [0, 10]"), ("beta=nan", "in [0, 10]"),
    ("alpha=x", "in [0, 10]"), ("alpha=1_0", "in [0, 10]"), ("alpha=٠.٥", "in [0, 10]"), ("row=s٣", "4 numbers"),
    ("alpha=.3;alpha=.4", "must appear only once"), ("mute:cola=s1;mute:cola=s2", "must appear only once"),
    ("swap:cola=demo-echo;swap:yelp_polarity=cola", "already changes"),
    ("renormalise=yes", "'on' or 'off'"), ("normalizer=relu", "softmax, sparsemax"),
    ("private:cola=nobody", "one of this run's tasks"), ("swap=cola", "must name both tasks"),
    ("blend=../x,.5", "id of a run"), ("blend=abc", "id of a run"), ("blend=abc,2", "in [0, 1]"),
    ("normalizer:cola=softmax", "takes no task"), ("x" * 30_001, "at most 30,000 characters"),
])
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, RUN)
    assert said in str(caught.value)


def test_problems_come_together_and_many_are_counted() -> None:
    with pytest.raises(ConfigError) as caught:
        read("alpha=x;mute=s9", RUN)
    assert len(caught.value.issues) == 2
    with pytest.raises(ConfigError) as caught:
        read(";".join(f"a{i}" for i in range(2000)), RUN)
    assert len(str(caught.value)) < 2000
    assert str(caught.value).endswith("The 1,995 items after these were not checked.")


def test_numbers_keep_their_digits_and_a_source_its_plain_name() -> None:
    edit = Edit(alpha={ALL: 0.1234567}, rows={"cola": "s3"})
    assert read("alpha=.1234567;row:cola=s0003", RUN) == edit == read(write(edit), RUN)
    assert read("renormalise=on", RUN) == Edit()


def test_weights_above_1_may_be_written_where_attention_was_fixed_to_such() -> None:
    large = replace(RUN, weights=np.full((3, 4), 2.5, dtype=np.float32))
    assert read("row:cola=2.5,0,1,2", large).rows["cola"] == (2.5, 0, 1, 2)
    with pytest.raises(ConfigError, match=r"4 weights in \[0, 2\.5\]"):
        read("row:cola=3,0,1,2", large)


@pytest.mark.parametrize(("run", "text", "said"), [
    (PT, "mute=s0", "attention over sources"), (PT, "alpha=.5", "shared and private prompts"),
    (PT, "normalizer=softmax", "learned attention"), (MST, "private:cola=demo-echo", "with private prompts"),
])
def test_what_a_method_does_not_have_cannot_be_edited(run: Trained, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(text, run)
