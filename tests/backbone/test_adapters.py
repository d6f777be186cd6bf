"""Prompts leave as adapters that peft loads, for every published family, and come back with the same scores."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from peft import PeftModel
from published import CONFIGS
from test_published import made

from compt_core.backbone.load import find_backbone, load_backbone
from compt_core.backbone.t5 import decode, encode, vocabulary_logits
from compt_core.cli import main as cli
from compt_core.exchange import peft
from compt_core.prompts import foreign
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.tasks.batches import collate, encode_rows
from compt_core.tasks.spec import Row

SMALL = ("--shots", "4", "--steps", "5", "--set", "batch=4", "--set", "eval_rows=8", "--set", "watch_rows=0",
         "--set", "max_tokens=160")
TEXTS = ("The chef praised the dog in the cellar.", "The dog was praised by the cook.")
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",
                                        "ignore:.*base_model_name_or_path.*:UserWarning")


def trained(home: Path, backbone: object, *words: str) -> RunRecord:
    store = Store(home)
    before = {run.id for one in store.experiments() for run in store.runs(one.id)}
    assert cli.main(["run", "--backbone", str(backbone), "--methods", "spp", *SMALL, *words]) == 0
    [run] = [run for one in store.experiments() for run in store.runs(one.id) if run.id not in before]
    return run


def theirs(folder: Path, family: str) -> Any:
    kind = {"mt5": "MT5", "umt5": "UMT5"}.get(family, "T5")
    model = getattr(transformers, f"{kind}ForConditionalGeneration").from_pretrained(folder).eval()
    if family == "umt5":
        model.config.tie_word_embeddings = False  # as the file says; transformers 5 overrules it
    return model


@pytest.mark.parametrize("family", CONFIGS)
def test_peft_gives_our_logits_and_the_way_back_our_scores(family: str, home: Path, tmp_path: Path,
                                                           spieces: dict[str, Path]) -> None:
    folder, out = made(tmp_path / "t5", family, spieces), tmp_path / "out"
    run = trained(home, folder, "--tasks", "demo-mood,demo-echo", "--set", "position=before_all")
    assert cli.main(["export", run.id, "--format", "peft", "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["demo-echo", "demo-mood", "example.py"]

    ours, task = load_backbone(find_backbone(str(folder)), "cpu"), run.tasks.needed("demo-echo")
    rows = encode_rows(ours.tokenizer, task, [Row(TEXTS, 0, 0.0)], prefix="neutral", position="before_all",
                       max_tokens=160)
    text = peft.input_text(run, task, TEXTS)
    ids = ours.tokenizer(text)["input_ids"]
    assert tuple(ids) == rows[0].after  # what the card says to type is what the run was trained on
    prompt = torch.from_numpy(np.array(Store(home).prompts(run.id)["composed"][1], dtype=np.float32))
    start = torch.tensor([[0, 9, 4]])
    with torch.no_grad():
        memory = encode(ours, collate(rows, [len(prompt)]), prompt)
        expected = vocabulary_logits(ours.model, decode(ours, memory, start))[0]
        model = PeftModel.from_pretrained(theirs(folder, family), out / "demo-echo").eval()
        found = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                      decoder_input_ids=start).logits[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)

    assert cli.main(["import", str(out / "demo-echo"), "--tasks", "demo-echo", "--backbone", str(folder),
                     "--set", "eval_rows=8", "--set", "max_tokens=160"]) == 0
    store = Store(home)
    again = store.runs(store.experiments()[0].id)[0]
    assert again.variant == "demo-echo" and again.method == "pt"
    assert again.result is not None and run.result is not None
    assert again.result["tasks"]["demo-echo"] == run.result["tasks"]["demo-echo"]
    np.testing.assert_array_equal(store.prompts(again.id)["composed"][0], store.prompts(run.id)["composed"][1])
    np.testing.assert_allclose(store.scores(again.id)["demo-echo"], store.scores(run.id)["demo-echo"], atol=0.01)


def test_the_example_runs_and_the_card_says_what_it_is(home: Path, tmp_path: Path, spieces: dict[str, Path],
                                                       capsys: pytest.CaptureFixture[str],
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = made(tmp_path / "t5", "t5", spieces), tmp_path / "out"
    run = trained(home, folder, "--tasks", "demo-mood", "--set", "position=before_all")
    assert cli.main(["export", run.id, "--format", "peft", "--out", str(out)]) == 0
    monkeypatch.chdir(out)
    capsys.readouterr()
    runpy.run_path(str(out / "example.py"))
    assert len(capsys.readouterr().out.splitlines()) == 1
    card = (out / "demo-mood" / "README.md").read_text()
    for said in (run.id, run.backbone["hash"], "4 examples per task, seed 0", "`opposite`, `alike`", "8 dev rows",
                 " ± ", "torch ", "demo-mood: sentence1: …"):
        assert said in card, said
    config = json.loads((out / "demo-mood" / "adapter_config.json").read_text())
    assert config["num_virtual_tokens"] == 5 and config["num_transformer_submodules"] == 1


def test_another_position_is_refused_with_the_way_out_or_scored_in_both(home: Path, tmp_path: Path, tiny_t5: Path,
                                                                        capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(home, tiny_t5, "--tasks", "demo-mood")
    out = tmp_path / "out"
    capsys.readouterr()
    assert cli.main(["export", run.id, "--format", "peft", "--out", str(out)]) == 2 and not out.exists()
    said = capsys.readouterr().err
    assert "--set position=before_all" in said and "--allow-position-change" in said and len(said.splitlines()) == 1
    assert cli.main(["export", run.id, "--format", "peft", "--out", str(out), "--allow-position-change"]) == 0
    printed = capsys.readouterr().out
    assert "where it was trained (after_prefix)" in printed and "in front of everything" in printed
    assert "with this adapter's position" in (out / "demo-mood" / "README.md").read_text()


@pytest.mark.parametrize(("kind", "said"), [
    ("lora", "must be for a prompt"), ("width", "must be H = 24, the hidden size"),
    ("none", "There is no file or folder"),
    ("count", "one task for each prompt"), ("untold", "Give them with --tasks"),
    ("full", "exists and has something"),
    ("experiment", "takes one of its runs"), ("csv", "go with --format peft"), ("push", "could not be uploaded"),
])
def test_each_mistake_is_one_sentence(kind: str, said: str, home: Path, tmp_path: Path, tiny_t5: Path,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.numpy import save

    adapter = tmp_path / "adapter"
    adapter.mkdir()
    width = 8 if kind == "width" else 24
    shape = (2, 3, width) if kind == "count" else (3, width)
    tensors = {"prompts" if kind == "count" else "prompt_embeddings": np.ones(shape, dtype=np.float32)}
    (adapter / "adapter_model.safetensors").write_bytes(save(tensors))
    if kind != "count":
        (adapter / "adapter_config.json").write_text(json.dumps({
            "peft_type": "LORA" if kind == "lora" else "PROMPT_TUNING", "num_virtual_tokens": 3,
            "num_transformer_submodules": 1}))
    words = ["import", str(tmp_path / "no" if kind == "none" else adapter), "--backbone", str(tiny_t5),
             *([] if kind == "untold" else ["--tasks", "demo-mood"])]
    if kind in ("full", "experiment", "csv", "push"):
        run = trained(home, tiny_t5, "--tasks", "demo-mood", "--set", "position=before_all")
        named, how = (run.experiment if kind == "experiment" else run.id), "csv" if kind == "csv" else "peft"
        out = adapter if kind == "full" else tmp_path / "out"
        words = ["export", named, "--format", how, "--out", str(out), *(["--push", "a/b"] if kind in ("csv", "push")
                                                                       else [])]
    capsys.readouterr()
    assert cli.main(words) == 2
    found = capsys.readouterr().err
    assert said in found and len(found.splitlines()) == 1, found


def test_a_push_is_one_commit_of_all_files(home: Path, tmp_path: Path, tiny_t5: Path, at: Callable[[int], None],
                                           monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = list[tuple[str, bytes]]()

    class Answers(BaseHTTPRequestHandler):
        """What the hub answers to a push of small files."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, body))
            files = json.loads(body).get("files", []) if "preupload" in self.path else []
            address = f"http://127.0.0.1:{self.server.server_address[1]}/lab/mine"
            said = json.dumps({"url": address, "name": "lab/mine", "commitUrl": f"{address}/commit/0", "commitOid": "0",
                               "files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                                         for one in files]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Silent."""

    run = trained(home, tiny_t5, "--tasks", "demo-mood", "--set", "position=before_all")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    at(server.server_address[1])
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    try:
        assert cli.main(["export", run.id, "--format", "peft", "--out", str(tmp_path / "o"), "--push", "lab/mine"]) == 0
    finally:
        server.shutdown()
        server.server_close()
    assert "/lab/mine" in capsys.readouterr().out.splitlines()[-1]
    assert asked[0][0] == "/api/repos/create" and b"private" in asked[0][1]
    [sent] = [body for path, body in asked if path.startswith("/api/models/lab/mine/commit/")]
    paths = {line["value"]["path"] for line in map(json.loads, sent.splitlines()) if line["key"] == "file"}
    assert paths == {"example.py", *(f"demo-mood/{name}" for name in ("README.md", "adapter_config.json",
                                                                     "adapter_model.safetensors"))}


def test_adapters_for_encoder_and_decoder_and_for_several_tasks_come_in(home: Path, tmp_path: Path, tiny_t5: Path,
                                                                        capsys: pytest.CaptureFixture[str]) -> None:
    from peft import MultitaskPromptTuningConfig, PromptTuningConfig, TaskType, get_peft_model

    model = transformers.T5ForConditionalGeneration.from_pretrained(tiny_t5)
    get_peft_model(model, PromptTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=4)
                   ).save_pretrained(tmp_path / "both")
    common = ["--backbone", str(tiny_t5), "--set", "eval_rows=6"]
    assert cli.main(["import", str(tmp_path / "both"), "--tasks", "demo-mood,demo-echo", *common]) == 0
    assert "Only the first 4 of its 8 vectors are used" in capsys.readouterr().err
    model = transformers.T5ForConditionalGeneration.from_pretrained(tiny_t5)
    get_peft_model(model, MultitaskPromptTuningConfig(
        task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=4, num_tasks=2, num_transformer_submodules=1)
        ).save_pretrained(tmp_path / "many")
    assert cli.main(["import", str(tmp_path / "many"), "--tasks", "demo-mood,demo-echo", *common]) == 0
    store = Store(home)
    run = store.runs(store.experiments()[0].id)[0]
    files = [(tmp_path / "many" / f"adapter_{name}").read_bytes() for name in ("model.safetensors", "config.json")]
    wanted = np.stack(list(foreign.read("x.safetensors", files[0], 24, files[1]).values()))
    np.testing.assert_allclose(store.prompts(run.id)["composed"], wanted, rtol=1e-3, atol=1e-3)
