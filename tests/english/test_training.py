"""Prompts trained on the English T5: PT against peft, which trains one task at a time, and an edit of a trained run."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from compt_core.analysis.answers import scored_rows
from compt_core.backbone.t5 import decode, encode, vocabulary_logits
from compt_core.cli import main as cli
from compt_core.planning.data import load_data
from compt_core.runs.drain import drain
from compt_core.runs.store import Store
from compt_core.settings.config import RunConfig, build_experiment
from compt_core.tasks.batches import collate, encode_rows
from compt_core.tasks.spec import Row
from compt_core.tasks.table import TASKS
from compt_core.training.fleet import build_fleet
from compt_core.training.loop import train
from compt_core.training.plan import plan_run
from compt_core.whatif.apply import apply
from compt_core.whatif.compose import changed
from compt_core.whatif.edit import read
from compt_core.whatif.trained import taken_apart

NAMES, STEPS, RATE, DECAY, END = ("sst2", "rte"), 3, 0.3, 0.01, 1
TEXTS = {
    "sst2": (("A warm and funny film.", 1), ("It was dull.", 0), ("The best thing I saw this year by far.", 1),
             ("A waste of a good cast.", 0), ("I loved it.", 1), ("Nothing works here.", 0)),
    "rte": (("A dog runs.\tAn animal runs.", 0), ("A dog runs.\tA cat sleeps all day long.", 1),
            ("She bought two apples.\tShe bought fruit.", 0), ("It rains in the north.\tThe north is dry.", 1),
            ("Tom plays the piano.\tTom can play.", 0), ("He is tall.\tHe is a short man with a hat.", 1)),
}
DEV = {"sst2": (("A joy.", 1), ("Painful to watch.", 0), ("I fell asleep.", 0), ("See it twice.", 1)),
       "rte": (("A boy swims.\tSomebody swims.", 0), ("A boy swims.\tNobody swims.", 1))}


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """A data folder with these sentences."""
    folder = tmp_path_factory.mktemp("sentences")
    for task in NAMES:
        (folder / task).mkdir()
        for split, rows in (("train", TEXTS[task]), ("dev", DEV[task])):
            lines = ["\t".join((*TASKS[task].columns, "label")), *(f"{texts}\t{label}" for texts, label in rows)]
            (folder / task / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return str(folder)


def by_peft(model, start, plan, task):
    """(prompt [P, H] after training, loss of every step) of one task alone: peft's prompt, torch's AdamW, transformers'
    schedule."""
    from peft import PromptTuningConfig, TaskType, get_peft_model
    from transformers import get_linear_schedule_with_warmup

    peer = get_peft_model(model, PromptTuningConfig(
        task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=len(start), num_transformer_submodules=1)).eval()
    weight = peer.prompt_encoder["default"].embedding.weight
    weight.data = start.clone()
    optimizer = torch.optim.AdamW([weight], lr=RATE, weight_decay=DECAY)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, plan.steps)
    losses = []
    for step in range(plan.steps):
        rows = [(list(e.row.before + e.row.after), list(e.target)) for e in plan.batch(step) if e.task == task]
        wide, long = (max(len(row[i]) for row in rows) for i in (0, 1))
        loss = peer(input_ids=torch.tensor([ids + [0] * (wide - len(ids)) for ids, _ in rows]),
                    attention_mask=torch.tensor([[1] * len(ids) + [0] * (wide - len(ids)) for ids, _ in rows]),
                    labels=torch.tensor([word + [-100] * (long - len(word)) for _, word in rows])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_([weight], 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return weight.detach(), losses


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft's call
def test_pt_in_a_fleet_trains_what_peft_trains_on_each_task_alone(english, sentences):
    """In float64, where what differs is a mistake and not rounding; another run trains in the same passes."""
    exact = replace(english, model=copy.deepcopy(english.model).double())
    pt = RunConfig(tasks=NAMES, method="pt", prompt_length=4, encoder="none", position="before_all", shots=6, batch=6,
                   steps=STEPS, warmup=0.0, lr_private=RATE, weight_decay_prompt=DECAY, clip=1.0, data_dir=sentences)
    configs = {"pt": pt, "mate": pt.model_copy(update={"method": "mst", "seed": 1})}
    plans = {run: plan_run(config, load_data(NAMES, sentences, exact.files), exact.tokenizer)
             for run, config in configs.items()}
    fleet, found = build_fleet(configs, exact), []
    name, = fleet.state("pt")
    start = fleet.state("pt")[name]
    train(fleet, plans, lambda e: found.append(e.values) if (e.run, e.kind) == ("pt", "task_loss") else None,
          lambda run: "keep", lambda run, state, error: None)
    for k in range(len(NAMES)):
        prompt, losses = by_peft(exact.model, start[k], plans["pt"], k)
        assert [values[k] for values in found] == pytest.approx(losses, rel=1e-5)
        moved = fleet.state("pt")[name][k]
        assert (moved - prompt).norm() < 1e-5 * (moved - start[k]).norm()


@pytest.mark.usefixtures("english_here")
def test_muting_a_source_is_the_prompt_without_it_computed_anew(peer, pieces, sentences, home):
    """The edit of a trained run through What-if, against the formula of the paper and transformers' own loss."""
    store = Store(home)
    drain(store, store.submit(build_experiment({
        "tasks": ",".join(NAMES), "methods": "spp", "backbone": "english", "data_dir": sentences, "shots": "4",
        "steps": 2, "batch": 4, "sources": 3, "prompt_length": 3, "normalizer": "softmax", "encoder_hidden": 5,
        "watch_rows": 0})), lambda ahead: None)
    run, = store.runs()
    assert run.backbone["id"] == "english" and "MIT" in run.backbone["origin"]
    kept = store.prompts(run.id)
    trained = taken_apart(run, kept)
    composed = dict(zip(NAMES, kept["composed"], strict=True))
    found = dict(apply(run, store.scores(run.id), composed, changed(trained, read("mute:rte=s1", trained))))
    store.close()
    assert found["sst2"].stored and not found["rte"].stored

    k, table = NAMES.index("rte"), peer.get_input_embeddings().weight
    weights, alpha, beta = (np.array(run.result[part][k]) for part in ("attention", "alpha", "beta"))
    weights[1] = 0
    prompt = (beta * np.tensordot(weights, kept["source"], 1) + alpha * kept["private"][k]) / (alpha + beta)
    assert not np.allclose(prompt, kept["composed"][k], atol=1e-3)
    words = [[*pieces(label), END] for label in TASKS["rte"].labels]
    for row, scores in zip(scored_rows(run, "rte"), found["rte"].scores, strict=True):
        body = [*pieces("sentence1:"), *pieces(row.texts[0]), *pieces("sentence2:"), *pieces(row.texts[1]), END]
        inputs = torch.cat([table[pieces("rte:")], torch.from_numpy(prompt).float(), table[body]])[None]
        with torch.no_grad():
            wanted = [-len(word) * peer(inputs_embeds=inputs, labels=torch.tensor([word])).loss.item()
                      for word in words]
        np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft's call
def test_an_exported_adapter_gives_peft_our_logits(english, english_folder, english_here, home, tmp_path):
    from peft import PeftModel
    from transformers import T5ForConditionalGeneration

    from compt_core.exchange import peft

    words = ["run", "--backbone", "english", "--methods", "pt", "--tasks", "demo-mood", "--shots", "2", "--steps", "5",
             "--set", "batch=2", "--set", "eval_rows=4", "--set", "watch_rows=0", "--set", "position=before_all"]
    assert cli.main(words) == 0
    store = Store(home)
    [run] = store.runs(store.experiments()[0].id)
    assert cli.main(["export", run.id, "--format", "peft", "--out", str(tmp_path / "out")]) == 0
    model = PeftModel.from_pretrained(T5ForConditionalGeneration.from_pretrained(english_folder).eval(),
                                      tmp_path / "out" / "demo-mood").eval()
    task, texts = run.tasks.needed("demo-mood"), ("The film was wonderful.", "The film was awful.")
    rows = encode_rows(english.tokenizer, task, [Row(texts, 0, 0.0)], prefix="neutral", position="before_all",
                       max_tokens=128)
    ids = english.tokenizer(peft.input_text(run, task, texts))["input_ids"]
    assert tuple(ids) == rows[0].after
    prompt = torch.from_numpy(np.array(store.prompts(run.id)["composed"][0], dtype=np.float32))
    start = torch.tensor([[0, 2841]])
    with torch.no_grad():
        ours = vocabulary_logits(english.model, decode(english, encode(english, collate(rows, [len(prompt)]), prompt),
                                                       start))[0]
        theirs = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                       decoder_input_ids=start).logits[0]
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-5)  # logits of up to 50 in this T5
    assert cli.main(["import", str(tmp_path / "out" / "demo-mood"), "--tasks", "demo-mood", "--backbone", "english",
                     "--set", "eval_rows=4"]) == 0
    [again] = store.runs(store.experiments()[0].id)
    assert again.result["tasks"] == run.result["tasks"]
