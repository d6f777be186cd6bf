"""What a config.json says about a T5: its sizes, checked, and the weights that follow from them. Loads no torch.

Fields that are not named here are not read: the model is built from these fields alone, so that no other key of the
file can make transformers build something else.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from compt_core.errors import BackboneError, quoted

# Not longt5 and switch_transformers: their attention and their layers are different.
T5_FAMILY = ("t5", "mt5", "umt5")
# What is read where a config.json names no model_type, as in the published UMT5 checkpoints.
_BY_ARCHITECTURE = {"T5ForConditionalGeneration": "t5", "MT5ForConditionalGeneration": "mt5",
                    "UMT5ForConditionalGeneration": "umt5"}
MOST = 2**31 - 1  # of a size; the weight files bound it further
MOST_LAYERS = 1000
ACTIVATIONS = ("relu", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu", "silu", "swish", "mish",
               "tanh", "sigmoid", "linear")
OTHER_NAMES = {"hidden_size": "d_model", "num_attention_heads": "num_heads", "num_hidden_layers": "num_layers",
               "head_dim": "d_kv"}  # transformers takes either
TABLES = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")  # one table and its copies
HEAD = "lm_head.weight"
# From old T5 checkpoints, where it was never used.
IDLE = frozenset({"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"})
_OF_MT5 = {"d_ff": 1024, "num_heads": 6, "feed_forward_proj": "gated-gelu", "decoder_start_token_id": 0}

Size = Annotated[int, Field(ge=1, le=MOST)]
Layers = Annotated[int, Field(ge=1, le=MOST_LAYERS)]
Id = Annotated[int, Field(ge=0, le=MOST)]


class T5Settings(BaseModel):
    """The fields of a config.json that make the model, with transformers' T5 defaults where one is left out."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)

    model_type: Literal["t5", "mt5", "umt5"]
    d_model: Size
    vocab_size: Size
    num_layers: Layers
    num_decoder_layers: Layers | None = None
    d_kv: Size = 64
    d_ff: Size = 2048
    num_heads: Size = 8
    relative_attention_num_buckets: Annotated[int, Field(ge=4, le=MOST)] = 32
    relative_attention_max_distance: Size = 128
    dropout_rate: Annotated[float, Field(ge=0, lt=1)] = 0.1
    layer_norm_epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-6
    feed_forward_proj: str = "relu"
    decoder_start_token_id: Id
    pad_token_id: Id | None = 0
    eos_token_id: Id = 1
    tie_word_embeddings: bool | None = None
    scale_decoder_outputs: bool | None = None

    @property
    def decoder_layers(self) -> int:
        return self.num_layers if self.num_decoder_layers is None else self.num_decoder_layers

    @property
    def gated(self) -> bool:
        return self.feed_forward_proj.startswith("gated-")

    @property
    def activation(self) -> str:
        """Its name in transformers, for which gated-gelu has always meant gelu_new."""
        name = self.feed_forward_proj.removeprefix("gated-")
        return "gelu_new" if self.feed_forward_proj == "gated-gelu" else name

    @property
    def scaled(self) -> bool:
        """Whether decoder states are scaled before the head: in T5 1.0, whose head is its table, and never in mT5.

        A UMT5 whose head is its table is scaled, too. The published ones have a head of their own, which was trained
        without a scale. transformers 5 takes every UMT5 as tied: it scales their states, so its logits are a multiple
        of these.
        """
        if self.model_type == "mt5":
            return False
        if self.scale_decoder_outputs is not None:
            return self.scale_decoder_outputs
        return self.tie_word_embeddings is not False

    @property
    def one_table(self) -> bool:
        """Whether the head is the table of words, as in T5 1.0; a head among the weights is then a copy of it."""
        return self.scaled and self.tie_word_embeddings is not False

    @property
    def biased_layers(self) -> bool:
        """Whether each layer has a position bias of its own, as in UMT5, or all share that of the first one."""
        return self.model_type == "umt5"

    def for_transformers(self) -> dict[str, Any]:
        """The arguments of a T5Config, an MT5Config or a UMT5Config."""
        own = self.model_dump(exclude={"model_type", "tie_word_embeddings", "scale_decoder_outputs"})
        return own if self.model_type == "mt5" else own | {"scale_decoder_outputs": self.scaled}


def model_type(config: dict[str, Any]) -> Any:
    """The kind of model of a config.json, by its architecture where it names no model_type."""
    named = config.get("model_type")
    return _BY_ARCHITECTURE.get(_architecture(config)) if named is None else named


def only_encoder(config: dict[str, Any]) -> bool:
    """Whether a config.json says that the model is an encoder without its decoder."""
    return _architecture(config).endswith("EncoderModel")


def _architecture(config: dict[str, Any]) -> str:
    named = config.get("architectures")
    return named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""


def read_settings(ref: str, folder: Path) -> T5Settings:
    """The settings of the config.json in `folder`; `ref` is what messages call it. Raises BackboneError."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config["model_type"] = kind = model_type(config)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        raise BackboneError(f"The backbone '{ref}' has no readable config.json in '{folder}'. Give a folder written "
                            "by save_pretrained of a T5 model and its tokenizer.") from None
    if kind not in T5_FAMILY:
        raise BackboneError(f"The backbone '{ref}' must be of the T5 family ({', '.join(T5_FAMILY)}). "
                            f"Got model type {quoted(kind)} instead.")
    if only_encoder(config):
        raise BackboneError(f"The backbone '{ref}' must have an encoder and a decoder. Got an encoder alone "
                            f"({quoted(config['architectures'][0])}); give the complete model.")
    config, problems = _with_one_name(config)
    defaults = {} if kind == "t5" else _OF_MT5
    try:
        settings = T5Settings.model_validate(defaults | config)
    except ValidationError as error:
        problems += [_sentence(problem) for problem in error.errors()]
    else:
        problems += _contradictions(settings, config)
        if not problems:
            return settings
    raise BackboneError(f"The config.json of backbone '{ref}' {' It '.join(dict.fromkeys(problems))} Save the model "
                        "again with save_pretrained.")


def _with_one_name(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The config under T5's own names, and the problems where two names of a field disagree."""
    problems = []
    for other, name in OTHER_NAMES.items():
        if other in config:
            if name in config and config[name] != config[other]:
                problems.append(f"must give one {name}, which is also called {other}. "
                                f"Got {quoted(config[name])} and {quoted(config[other])} instead.")
            config = {name: config[other]} | config
    return config, problems


def _sentence(problem: Any) -> str:
    """A problem found by pydantic: "must give num_heads as a whole number from 1 to 2147483647. Got 0 instead."."""
    name = str(problem["loc"][0])
    got = "none" if problem["type"] == "missing" or problem["input"] is None else quoted(problem["input"])
    if name == "decoder_start_token_id" and got == "none":
        return "must name a decoder_start_token_id (0 for T5). Got none."
    return f"must give {name} as {_allowed(name)}. Got {got} instead."


def _allowed(name: str) -> str:
    """What a field accepts, in words."""
    if name in ("tie_word_embeddings", "scale_decoder_outputs"):
        return "true or false"
    if name == "dropout_rate":
        return "a number of at least 0 and below 1"
    if name == "layer_norm_epsilon":
        return "a number above 0 and at most 1"
    if name == "feed_forward_proj":
        return "a word"
    low = 0 if name.endswith("_id") else 4 if name == "relative_attention_num_buckets" else 1
    return f"a whole number from {low} to {MOST_LAYERS if name.endswith('_layers') else MOST:,}"


def _contradictions(settings: T5Settings, config: dict[str, Any]) -> list[str]:
    """What is wrong between fields that are each valid alone."""
    found = []
    if settings.feed_forward_proj.removeprefix("gated-") not in ACTIVATIONS:
        found.append(f"must give feed_forward_proj as one of {', '.join(ACTIVATIONS)}, with 'gated-' in front if it is "
                     f"gated. Got {quoted(settings.feed_forward_proj)} instead.")
    else:  # transformers writes both of these as well, and reads them first
        for name, value in (("dense_act_fn", settings.activation), ("is_gated_act", settings.gated)):
            if config.get(name, value) != value:
                found.append(f"must give {name} to match its feed_forward_proj {quoted(settings.feed_forward_proj)} "
                             f"({value!r}). Got {quoted(config[name])} instead.")
    least = settings.relative_attention_num_buckets // 2 + 1
    if settings.relative_attention_max_distance < least:
        found.append(f"must give relative_attention_max_distance as at least {least}, one more than half its "
                     f"buckets. Got {settings.relative_attention_max_distance} instead.")
    for name in ("decoder_start_token_id", "pad_token_id", "eos_token_id"):
        value = getattr(settings, name)
        if value is not None and value >= settings.vocab_size:
            found.append(f"must give {name} below its vocab_size of {settings.vocab_size}. Got {value} instead.")
    return found


def needed(settings: T5Settings) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every weight that the settings ask for, except the tables and the head."""
    wide, inner = settings.d_model, settings.num_heads * settings.d_kv
    shapes: dict[str, tuple[int, ...]] = {}
    for stack, layers in (("encoder", settings.num_layers), ("decoder", settings.decoder_layers)):
        shapes[f"{stack}.final_layer_norm.weight"] = (wide,)
        shapes |= {f"{stack}.block.{block}.layer.0.SelfAttention.relative_attention_bias.weight": (
            settings.relative_attention_num_buckets, settings.num_heads)
            for block in range(layers if settings.biased_layers else 1)}
        attentions = ("SelfAttention", "EncDecAttention") if stack == "decoder" else ("SelfAttention",)
        for block in range(layers):
            for layer, attention in enumerate(attentions):
                at = f"{stack}.block.{block}.layer.{layer}"
                shapes[f"{at}.layer_norm.weight"] = (wide,)
                shapes |= {f"{at}.{attention}.{name}.weight": (inner, wide) for name in "qkv"}
                shapes[f"{at}.{attention}.o.weight"] = (wide, inner)
            at = f"{stack}.block.{block}.layer.{len(attentions)}"
            shapes[f"{at}.layer_norm.weight"] = (wide,)
            shapes |= {f"{at}.DenseReluDense.{name}.weight": (settings.d_ff, wide)
                       for name in (("wi_0", "wi_1") if settings.gated else ("wi",))}
            shapes[f"{at}.DenseReluDense.wo.weight"] = (wide, settings.d_ff)
    return shapes


def parameters(settings: T5Settings) -> int:
    """Numbers in all weights that the settings ask for; a head that is the table of words is not counted twice."""
    tables = 2 if settings.tie_word_embeddings is False else 1
    return sum(map(prod, needed(settings).values())) + tables * settings.vocab_size * settings.d_model
