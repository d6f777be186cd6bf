"""Runs that start from the prompts of others, and wait for them: names, order, what fails and how it is said."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from compt_core.errors import ConfigError
from compt_core.runs.record import State
from compt_core.runs.worker import Worker
from compt_core.settings.config import build_experiment

TASKS = "sst2,mrpc"


@pytest.fixture
def submitted(store, glue_dir, tiny_t5):
    def submit(*variants, **settings):
        return store.submit(build_experiment({
            "tasks": TASKS, "variants": list(variants), "shots": 4, "steps": 2, "batch": 4, "encoder_hidden": 7,
            "prompt_length": 3, "sources": 2, "eval_rows": 8, "watch_rows": 0, "data_dir": str(glue_dir),
            "backbone": str(tiny_t5)} | settings))
    return submit


def trained(store, experiment):
    """Runs by row, after a worker did whatever it could."""
    worker = Worker(store)
    assert worker.lease.acquire()
    try:
        while worker.work_once():
            pass
    finally:
        worker.lease.release()
    return {run.variant: run for run in store.runs(experiment)}


def test_a_row_starts_from_the_prompts_of_another_row_whichever_comes_first(store, submitted):
    runs = trained(store, submitted(
        "tuned: method=spp init=source=single:composed lr_source=0 weight_decay_prompt=0 lr_encoder=0",
        "frozen: method=spp init=source=single:composed,private=single freeze=source", "single: method=pt",
        "one for all: method=pt init=private=single@mrpc freeze=attention",
        "shared: method=mst init=source=single:composed@sst2"))
    assert {run.state for run in runs.values()} == {State.COMPLETED}
    single = store.prompts(runs["single"].id)["composed"]
    for row in ("tuned", "frozen"):
        assert store.prompts(runs[row].id)["source"] == pytest.approx(single, abs=1e-6)
        assert runs[row].waits_for == (runs["single"].id,)
        assert runs[row].versions["init"].keys() == {read.split("=")[0] for read in runs[row].config["init"]}
    assert runs["frozen"].result["trainable_parameters"] < runs["tuned"].result["trainable_parameters"]
    assert not np.allclose(store.prompts(runs["shared"].id)["composed"][0], single[0])  # trained on
    assert runs["single"].fleet != runs["tuned"].fleet == runs["frozen"].fleet


def test_an_earlier_run_is_named_by_its_id_or_by_its_experiment_and_row(store, submitted):
    first = submitted("mine: method=spp", seeds="0,1")
    before = trained(store, first)
    two = store.runs(submitted(f"b: method=spp init=source={first}/mine", "c: method=mst after=b", seeds="0,1"))
    assert [run.waits_for[0] for run in two] == [*(run.id for run in store.runs(first)), two[0].id, two[1].id]
    again = trained(store, two[0].experiment)
    assert {run.state for run in again.values()} == {State.COMPLETED}
    with pytest.raises(ConfigError, match=r"no run of .* with 4 shots and seed 2"):
        submitted(f"b: method=spp init=source={first}/mine", seeds="2")
    assert before["mine"].waits_for == ()


def test_a_file_of_prompts_is_a_start_wherever_the_worker_runs(store, submitted, tmp_path, monkeypatch):
    prompts = np.random.default_rng(0).normal(size=(2, 3, 24)).astype(np.float32)
    save_file({"sst2": prompts[0], "mrpc": prompts[1]}, tmp_path / "mine.safetensors")
    monkeypatch.chdir(tmp_path)
    experiment = submitted("pt: method=pt init=private=mine.safetensors encoder=none lr_private=0")
    monkeypatch.chdir("/")
    run = trained(store, experiment)["pt"]
    assert store.prompts(run.id)["composed"] == pytest.approx(prompts, abs=1e-6)


def test_who_waits_for_a_run_that_fails_is_cancelled_or_deleted_fails_with_it(store, submitted):
    for lose in (lambda run: store.request(run, "cancel"), store.delete):
        experiment = submitted("first: method=pt", "second: method=spp init=private=first",
                               "third: method=mst after=second")
        runs = {run.variant: run for run in store.runs(experiment)}
        lose(runs["first"].id)
        after = trained(store, experiment)
        assert [after[row].state for row in ("second", "third")] == [State.FAILED] * 2
        assert f"It waits for run '{runs['first'].id}'" in after["second"].error_message
        assert after["third"].error_message.endswith("Resume that run, and then this one.")
    experiment = submitted("first: method=pt", "second: method=spp init=private=first")
    runs = {run.variant: run for run in store.runs(experiment)}
    store.request(runs["first"].id, "cancel")
    trained(store, experiment)
    store.requeue(runs["first"].id, runs["second"].id)
    assert {run.state for run in trained(store, experiment).values()} == {State.COMPLETED}


@pytest.mark.parametrize(("line", "said"), [
    ("init=source=first:composed sources=3", "has 3 sources, but the prompts (composed) of row 'first' are 2"),
    ("init=private=first prompt_length=4", "must have 4 vectors. Those of row 'first' have 3"),
    ("init=private=nothing.npy", "'nothing.npy', which is none of them"),
    ("init=private=abcdefghij", "no run 'abcdefghij'"), ("after=abcdefghij/pt", "no experiment 'abcdefghij'"),
    ("init=private=first@rte", "no 'rte' among"), ("init=private=first:source", "has only 'private' and 'composed'"),
    ("after=second", "The rows 'second' wait for each other"), ("init=private=wide.npy", "H = 24, the hidden"),
    ("after=../../etc/passwd", "none of them"), ("init=private=broken.safetensors", "no file of safetensors"),
])
def test_what_cannot_be_a_start_is_one_sentence_and_nothing_is_stored(
        store, submitted, line, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("wide.npy", np.ones((2, 3, 5), np.float32))
    (tmp_path / "broken.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError) as caught:
        submitted("first: method=pt", f"second: method=spp {line}")
    assert len(caught.value.issues) == 1 and said in str(caught.value), str(caught.value)
    assert store.experiments() == [] and "\n" not in str(caught.value)


def test_rows_in_a_circle_are_refused_by_name(submitted):
    with pytest.raises(ConfigError, match="The rows 'a' and 'b' wait for each other"):
        submitted("a: method=pt after=b", "b: method=spp init=private=a", "c: method=mst")


def test_prompts_of_another_backbone_are_refused_even_if_they_have_its_width(store, submitted, tiny_t5, tmp_path):
    first = trained(store, submitted("mine: method=pt"))["mine"]
    other = tmp_path / "other"
    other.symlink_to(tiny_t5)
    with pytest.raises(ConfigError, match="a run on the same backbone"):
        submitted(f"b: method=pt init=private={first.id}", backbone=str(other))
