"""Prompts of a run as adapters of the library peft, a folder for each task, and their way to the hub.

A standard prompt-tuning adapter is L vectors [L, H] in front of the encoder's whole input, which is what
``position=before_all`` trains. Its format is that of peft's ``PromptTuningConfig`` and ``save_pretrained``. peft itself
is not needed to write it. Loads no torch but to score.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from compt_core import __version__
from compt_core.backbone.files import encoder
from compt_core.backbone.load import find_backbone
from compt_core.errors import ComptError, ConfigError, Issue, StoreError, plural, quoted
from compt_core.runs.record import RunRecord, State
from compt_core.scoring.statistics import half_width_over_rows
from compt_core.scratch import scratch
from compt_core.tasks.batches import frame
from compt_core.tasks.spec import Task

STANDARD = "before_all"  # the only position that peft's adapters can say
EXAMPLE = "example.py"
Scores = Mapping[str, Mapping[str, float | None]]  # task -> metric -> value


def exported(run: RunRecord, prompts: Mapping[str, np.ndarray], moved: Scores | None = None) -> dict[str, bytes]:
    """Path in the folder -> contents: ``TASK/adapter_config.json``, ``TASK/adapter_model.safetensors`` and
    ``TASK/README.md`` for every task of a completed run, and an example that loads one of them.

    prompts  what the store keeps of the run; of these "composed" [K, L, H]
    moved    the scores with the prompts in front of everything, of a run that was trained with another position
    """
    from safetensors.numpy import save

    config, files = run.settings, dict[str, bytes]()
    composed = np.ascontiguousarray(prompts["composed"], dtype=np.float32)
    for name, prompt in zip(config.tasks, composed, strict=True):
        task = run.tasks.needed(name)
        said = json.dumps(adapter_config(run, prompt.shape), indent=2)
        files[f"{name}/adapter_config.json"] = f"{said}\n".encode()
        files[f"{name}/adapter_model.safetensors"] = save({"prompt_embeddings": prompt}, metadata={"format": "pt"})
        files[f"{name}/README.md"] = card(run, task, prompt.shape, moved).encode()
    first = run.tasks.needed(config.tasks[0])
    return files | {EXAMPLE: example(run, first).encode()}


def check(run: RunRecord, *, allow_move: bool) -> None:
    """Raises StoreError or ConfigError where a run has no prompts yet, or a position that peft cannot say."""
    if run.state != State.COMPLETED:
        raise StoreError(f"Run '{run.id}' is {run.state.value}, so it has no prompts to export. Wait for it, or resume "
                         "it.")
    position = run.settings.position
    if position != STANDARD and not allow_move:
        raise ConfigError([Issue("position", f"peft's adapters put the prompt in front of the whole input, and run "
                                             f"'{run.id}' was trained with position={position}. Train with --set "
                                             f"position={STANDARD}, or export with --allow-position-change, which "
                                             "prints the scores of both.")])


def adapter_config(run: RunRecord, shape: Sequence[int]) -> dict[str, Any]:
    """What peft reads from ``adapter_config.json`` for a prompt [L, H] of the encoder alone."""
    backbone, _, revision = run.config["backbone"].partition("@")
    return {"peft_type": "PROMPT_TUNING", "task_type": "SEQ_2_SEQ_LM", "base_model_name_or_path": backbone,
            "revision": revision or None, "inference_mode": True, "num_virtual_tokens": int(shape[0]),
            "token_dim": int(shape[1]), "num_transformer_submodules": 1, "prompt_tuning_init": "RANDOM",
            "prompt_tuning_init_text": None, "tokenizer_name_or_path": None}


def input_text(run: RunRecord, task: Task, texts: Sequence[str]) -> str:
    """A row as the text that the backbone reads behind the prompt: the task prefix, then each field and its text."""
    head, *names = frame(task, run.settings.prefix)
    pieces = [head, *(piece for pair in zip(names, texts, strict=True) for piece in pair)]
    return _between(run.config["backbone"]).join(pieces)


@lru_cache(maxsize=8)
def _between(backbone: str) -> str:
    """What stands between the pieces of an input: a space, or nothing where the tokenizer has pieces for spaces (ByT5).
    A row is trained on as the ids of its pieces one after another."""
    try:
        encode = encoder(find_backbone(backbone, fetch=False))[0]
    except ComptError:  # it is not on this machine
        return " "
    apart, (joined,) = encode(["a:", "b"]), encode(["a: b"])
    return " " if [*apart[0], *apart[1]] == list(joined) else ""


def example(run: RunRecord, task: Task) -> str:
    """A script of ten lines that loads the adapter of a task and answers one input."""
    backbone, _, revision = run.config["backbone"].partition("@")
    at = f", revision={revision!r}" if revision else ""
    where = "a hub id or the backbone's folder, and a folder beside this file"
    text = input_text(run, task, [f"… {column} …" for column in task.columns])
    return f'''from peft import PeftModel
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

BACKBONE, ADAPTER = {backbone!r}, {task.name!r}  # {where}
tokenizer = AutoTokenizer.from_pretrained(BACKBONE{at})
model = PeftModel.from_pretrained(AutoModelForSeq2SeqLM.from_pretrained(BACKBONE{at}), ADAPTER).eval()
text = {text!r}
inputs = tokenizer(text, return_tensors="pt")
output = model.generate(**inputs, max_new_tokens=12)
print(tokenizer.decode(output[0], skip_special_tokens=True))
'''


def card(run: RunRecord, task: Task, shape: Sequence[int], moved: Scores | None) -> str:
    """The model card: what the prompt is for, how it was trained, what it scores, and how to use it."""
    config, versions = run.settings, run.versions or {}
    backbone = versions.get("backbone") or {}
    words = ", ".join(f"`{word}`" for word in task.words(config.prefix))
    lines = ["---", "library_name: peft", f"base_model: {json.dumps(config.backbone)}",
             "tags: [prompt-tuning, compt]", "---", "", f"# A soft prompt for {task.name}", "",
             f"{plural(int(shape[0]), 'vector')} of width {shape[1]}, to be put in front of everything that the "
             f"encoder reads. Trained by ComPT Lab {versions.get('compt', __version__)} with the method "
             f"{run.method.upper()} on {plural(run.shots, 'example')} per task, seed {run.seed}, together with: "
             f"{', '.join(config.tasks)}.", ""]
    lines += [f"- Task: {task.description}"] if task.description else []
    lines += [f"- Input: `{input_text(run, task, ['…' for _ in task.columns])}`", f"- Answers: {words}",
              f"- Backbone: `{config.backbone}`, SHA-256 of its files `{backbone.get('hash', 'unknown')}`"]
    lines += [f"- Run: `{run.id}` ({run.variant}), {plural(run.steps or 0, 'step')}", "", "## Scores", ""]
    lines += list(_scores(run, task, moved))
    packages = versions.get("packages") or {}
    lines += ["", "## Made with", "", ", ".join(f"{name} {version}" for name, version in packages.items()), "",
              "## Use", "", "```python", example(run, task).rstrip(), "```", ""]
    return "\n".join(lines)


def _scores(run: RunRecord, task: Task, moved: Scores | None) -> Iterator[str]:
    """A line for each metric, with the interval over dev rows where it is an accuracy."""
    result = run.result or {}
    rows = (result.get("eval_rows") or {}).get(task.name)
    position = run.settings.position
    for metric, value in result["tasks"][task.name].items():
        where = f" with position={position}, as it was trained" if moved is not None else ""
        yield f"- {metric} {_said(metric, value, rows)} on {plural(rows or 0, 'dev row')}{where}"
        if moved is not None:
            yield f"- {metric} {_said(metric, moved[task.name].get(metric), rows)} with this adapter's position"
    yield "- One run: the interval, where there is one, is over dev rows and not over seeds."


def _said(metric: str, value: float | None, rows: int | None) -> str:
    if value is None:
        return "undefined"
    if metric != "accuracy" or not rows:
        return f"{value:.4f}"
    return f"{value:.4f} ± {half_width_over_rows(value, 0.0, rows):.4f}"


def scores_when_moved(run: RunRecord, prompts: Mapping[str, np.ndarray]) -> dict[str, dict[str, float | None]]:
    """Task -> metrics on the run's dev rows with its prompts in front of everything. Loads torch and the backbone."""
    import torch

    from compt_core.scoring.score import score_task
    from compt_core.whatif.apply import backbone_of, dev_rows

    moved = replace(run, config={**run.config, "position": STANDARD})
    backbone, config, found = backbone_of(run), moved.settings, dict[str, dict[str, float | None]]()
    for name, prompt in zip(config.tasks, prompts["composed"], strict=True):
        rows, encoded = dev_rows(moved, name, backbone)
        given = {"": torch.from_numpy(np.ascontiguousarray(prompt, dtype=np.float32)).to(backbone.device)}
        scored = score_task(backbone, run.tasks.needed(name), rows, encoded, given, prefix=config.prefix,
                            scoring=config.scoring, similarity=config.similarity, remember=False)[""]
        found[name] = dict(scored.metrics)
    return found


def write(folder: Path, files: Mapping[str, bytes], option: str) -> None:
    """Writes the files into a new folder, all or none. Raises ConfigError where it exists, or cannot be made."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError([Issue("out", f"The folder of {option} must be a new or an empty one. "
                                            f"{quoted(str(folder))} exists and has something in it; name another.")])
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch(folder.parent, "adapters") as whole:
            for name, content in files.items():
                (whole / name).parent.mkdir(exist_ok=True)
                (whole / name).write_bytes(content)
            if folder.exists():
                folder.rmdir()
            os.rename(whole, folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError([Issue("out", f"The folder {quoted(str(folder), 200)} of {option} cannot be written: "
                                        f"{reason}.")]) from None


def push(folder: Path, repository: str, *, private: bool = True) -> str:
    """Uploads the folder to a model repository of the hub, made if it is not there; its address. The token is the one
    that huggingface_hub finds (``HF_TOKEN`` or ``hf auth login``). Raises ComptError."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = HfApi()
    try:
        found = api.create_repo(repository, repo_type="model", private=private, exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=found.repo_id, repo_type="model",
                          commit_message="Prompt-tuning adapters of ComPT Lab")
        return str(found)
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise ComptError(f"The adapters are in '{folder}', but they could not be uploaded to {quoted(repository)}: "
                         f"{said}. Check the name and the token (HF_TOKEN), and that the hub can be reached.") from None
