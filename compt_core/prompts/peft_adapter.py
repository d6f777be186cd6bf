"""How the library peft stores a prompt, and what its adapter_config.json says about it. Only numpy; no torch.

L vectors in front of an input · K tasks · R rank · H hidden size. For a model with an encoder and a decoder peft by
default keeps L vectors for each in one tensor [2 · L, H], the encoder's first. For several tasks (multitask prompt
tuning, Wang et al., arXiv 2303.02861) the prompts are that tensor ⊙ u_k v_k with u [K, 2 · L, R] and v [K, R, H].
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from compt_core.errors import DataError, plural, quoted

EMBEDDINGS, COLUMNS, ROWS = "prompt_embeddings", "prefix_task_cols", "prefix_task_rows"  # peft's names of tensors
_KINDS = {"PROMPT_TUNING": False, "P_TUNING": False, "MULTITASK_PROMPT_TUNING": True}  # whether it has tasks
_MOST_BYTES, _MOST_VECTORS = 100_000, 1024  # in a configuration, in a part's prompt
MOST_TASKS, MOST_NUMBERS = 24, 8_000_000  # most tasks, and most numbers in all composed prompts


@dataclass(frozen=True)
class Adapter:
    """An adapter_config.json: whether it has tasks, the vectors for each part of the model, the number of parts (1, or
    2 for encoder and decoder), and the name or folder of the backbone."""

    multitask: bool
    vectors: int
    parts: int
    backbone: str | None


def read_config(data: bytes) -> Adapter:
    """The contents of an adapter_config.json. Raises DataError for another file or another kind of adapter."""
    try:
        found = json.loads(data.decode("utf-8-sig")) if len(data) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or "peft_type" not in found:
        raise DataError("The adapter_config.json must be the one that peft wrote next to the prompt: a JSON object "
                        f"with peft_type, of at most {_MOST_BYTES:,} bytes. Copy it again.")
    kind, vectors, parts = (found.get(name) for name in ("peft_type", "num_virtual_tokens",
                                                         "num_transformer_submodules"))
    if not isinstance(kind, str) or kind not in _KINDS:
        raise DataError(f"The adapter_config.json must be for a prompt, with peft_type {', '.join(_KINDS)}. Got "
                        f"{quoted(kind)}, which holds no input embeddings.")
    if parts is None:  # peft's own default
        parts = 2 if found.get("task_type") == "SEQ_2_SEQ_LM" else 1
    if type(vectors) is not int or not 1 <= vectors <= _MOST_VECTORS or type(parts) is not int or parts not in (1, 2):
        raise DataError("The adapter_config.json must give num_virtual_tokens as a whole number from 1 to "
                        f"{_MOST_VECTORS:,} and num_transformer_submodules as 1 or 2. Got {quoted(vectors)} and "
                        f"{quoted(parts)} instead.")
    backbone = found.get("base_model_name_or_path")
    return Adapter(_KINDS[kind], vectors, parts, backbone if isinstance(backbone, str) and backbone else None)


def prompts(what: str, tensors: Mapping[str, np.ndarray], adapter: Adapter | None, notes: list[str]
            ) -> dict[str, np.ndarray]:
    """The prompts for a T5's encoder from peft's `tensors` [float64] of a file, which messages call `what`. `notes`
    gets a sentence on what is used or cannot be known. Raises DataError if tensors and configuration do not fit."""
    embeddings = tensors[EMBEDDINGS]
    factors = [tensors[name] for name in (COLUMNS, ROWS) if name in tensors]
    _check(what, embeddings, factors, adapter)
    rows = len(embeddings)
    if adapter is None and rows % 2 == 0:
        notes.append(f"It has {plural(rows, 'vector')}. For a T5, peft by default keeps the vectors of the encoder and "
                     "the decoder in one tensor, and only its adapter_config.json says so. Without that file all "
                     f"{rows} are taken as one prompt. Please add the file.")
    elif adapter is not None and adapter.parts == 2:
        rows = adapter.vectors
        notes.append(f"Only the first {rows} of its {plural(2 * rows, 'vector')} are used: they belong to the encoder. "
                     f"The other {rows} belong to the decoder, for which this dashboard has no prompts.")
    used = embeddings[:rows]
    if not factors:
        return {EMBEDDINGS: used}
    columns, of_rows = factors
    if len(columns) * rows * used.shape[-1] > MOST_NUMBERS:
        raise DataError(f"{what} must need at most {MOST_NUMBERS:,} numbers for all its prompts. Got "
                        f"{plural(len(columns), 'prompt')} of {rows} x {used.shape[-1]} numbers instead; save fewer "
                        "tasks.")
    notes.append(f"Its prompts are composed for each of its {plural(len(columns), 'task')}.")
    return {"task": used * (columns[:, :rows] @ of_rows)}  # [K, L, H]


def _check(what: str, embeddings: np.ndarray, factors: list[np.ndarray], adapter: Adapter | None) -> None:
    """Raises DataError unless the tensors fit each other and the configuration."""
    if embeddings.ndim != 2:
        raise DataError(f"{what} must hold peft's {EMBEDDINGS} as [vectors, H]. Got {list(embeddings.shape)} instead.")
    if len(factors) == 1:
        raise DataError(f"{what} has only one of peft's {COLUMNS} and {ROWS}; a multitask prompt needs both. Save it "
                        "again with save_pretrained.")
    if factors:
        shapes = [list(one.shape) for one in factors]
        wanted = [[(tasks := shapes[0][0]), len(embeddings), (rank := shapes[0][-1])],
                  [tasks, rank, embeddings.shape[-1]]]
        if shapes != wanted or tasks > MOST_TASKS:
            raise DataError(f"{what} must have {COLUMNS} [K, vectors, R] and {ROWS} [K, R, H] of at most {MOST_TASKS} "
                            f"tasks that fit its {EMBEDDINGS} {list(embeddings.shape)}. Got {shapes[0]} and "
                            f"{shapes[1]} instead.")
    if adapter is None:
        return
    if adapter.vectors * adapter.parts != len(embeddings):
        raise DataError(f"{what} has {plural(len(embeddings), 'vector')}, but its adapter_config.json says "
                        f"{adapter.vectors} for each of the model's parts ({adapter.parts}). The two do not belong "
                        "together; give the files that peft wrote together.")
    if adapter.multitask != bool(factors):
        raise DataError(f"{what} has {'the factors of several tasks' if factors else 'one prompt'}, but its "
                        f"adapter_config.json says {'several tasks' if adapter.multitask else 'one prompt'}. The two "
                        "do not belong together; give the files that peft wrote together.")
