"""A randomly initialised T5 around any tokenizer: a backbone for checks of shape, speed and memory.

    python benchmarks/make_backbone.py TOKENIZER_DIR OUT_DIR [--size small|base|tiny] [--seed 0] [--d-model 512 …]

TOKENIZER_DIR holds a tokenizer as save_pretrained writes it (tokenizer.json, tokenizer_config.json).
OUT_DIR is what --backbone takes: config.json, model.safetensors and the tokenizer. Such a T5 knows
nothing; its scores say nothing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from compt_core.backbone.files import BackboneFiles, check_folder
from compt_core.errors import BackboneError, quoted

# Sizes by name; "small" are those of T5Config().
SIZES: dict[str, dict[str, int]] = {
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_decoder_layers": 6, "num_heads": 8},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_decoder_layers": 12, "num_heads": 12},
    "tiny": {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 4},
}
MULTIPLE = 128  # the vocabulary is rounded up to it, as T5's is: 32,100 pieces, 32,128 rows


def make_backbone(tokenizer_dir: Path, out: Path, *, seed: int = 0, vocabulary: int = 0, **sizes: int) -> BackboneFiles:
    """Write a T5 with the given `sizes` (T5Config's names) and the tokenizer to the new folder `out`.

    `vocabulary`: the least number of rows of its word table, which else follows from the tokenizer. Equal seeds
    give equal weights. Raises BackboneError: no usable tokenizer, or `out` not empty.
    """
    import torch
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BackboneError(f"The folder {quoted(str(out), 200)} is there already. Give a new one, or remove it.")
    tokenizer = _load(AutoTokenizer, tokenizer_dir)
    settings: dict[str, Any] = {
        "vocab_size": -(-max(len(tokenizer), vocabulary) // MULTIPLE) * MULTIPLE,
        "dropout_rate": 0.0, "decoder_start_token_id": 0,
        "pad_token_id": tokenizer.pad_token_id or 0, "eos_token_id": tokenizer.eos_token_id, **sizes}
    torch.manual_seed(seed)
    partial = out.with_name(out.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        T5ForConditionalGeneration(T5Config(**settings)).save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        check_folder(str(out), partial)
        if out.exists():
            out.rmdir()
        partial.replace(out)
    except OSError as error:
        raise BackboneError(f"The folder {quoted(str(out), 200)} cannot be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return check_folder(str(out), out)


def _load(auto: Any, folder: Path) -> Any:
    if not (folder / "tokenizer.json").is_file():
        raise BackboneError(f"The folder {quoted(str(folder), 200)} has no tokenizer.json. "
                            "Give one that a fast tokenizer's save_pretrained wrote.")
    try:
        tokenizer = auto.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a broken file makes the library raise
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise BackboneError(f"The tokenizer in {quoted(str(folder), 200)} cannot be loaded: {reason}.") from None
    if tokenizer.eos_token_id is None:
        raise BackboneError(f"The tokenizer in {quoted(str(folder), 200)} must name an end token. Got none; set "
                            "eos_token in its tokenizer_config.json.")
    return tokenizer


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0. Got {quoted(text)} instead")
    return int(text)


def _fail(message: str) -> NoReturn:
    print(" ".join(message.split()), file=sys.stderr)
    raise SystemExit(2)


def main(arguments: list[str] | None = None) -> None:
    """The command line; bad input is one line on stderr and exit code 2."""
    parser = argparse.ArgumentParser(prog="make_backbone.py", description=(__doc__ or "").splitlines()[0])
    parser.error = _fail  # type: ignore[method-assign]
    parser.add_argument("tokenizer", type=Path, metavar="TOKENIZER_DIR")
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--seed", type=int, default=0)
    for name, small in SIZES["small"].items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=_positive,
                            help=f"instead of the size's own (small: {small})")
    given = vars(parser.parse_args(arguments))
    sizes = SIZES[given["size"]] | {name: given[name] for name in SIZES["small"] if given[name] is not None}
    try:
        files = make_backbone(given["tokenizer"], given["out"], seed=given["seed"], **sizes)
    except BackboneError as error:
        _fail(str(error))
    print(f"{given['out']}: hidden size {files.hidden}, {files.layers} layers, vocabulary of {files.vocabulary}")


if __name__ == "__main__":
    main()
