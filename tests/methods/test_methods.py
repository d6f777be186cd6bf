"""One battery over every method: a new row of METHODS is tested before anyone writes a test for it."""

from dataclasses import replace

import pytest
import torch

from compt_core.backbone.load import find_backbone, load_backbone
from compt_core.methods.parts import VOCABULARY_LR, resolve_normalizer
from compt_core.methods.table import METHODS, parameter_shapes, structure
from compt_core.settings.config import RunConfig
from compt_core.training.fleet import build_fleet

TASKS = ("sst2", "mrpc", "rte")
ENCODERS = ("residual", "mlp", "none")


def config(method, **settings):
    small = {"tasks": TASKS, "sources": 4, "prompt_length": 5, "encoder_hidden": 11}
    return RunConfig(**small | settings, method=method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_method_composes_a_prompt_per_task_and_trains_what_it_says(method, encoder, backbone):
    run = config(method, encoder=encoder)
    block = build_fleet({"a": run, "b": run}, backbone).blocks[0]
    prompts = block.compose()
    assert prompts.shape == (2, len(TASKS), structure(run).length, backbone.hidden)
    assert {n: tuple(p.shape[1:]) for n, p in block.parameters.items()} == parameter_shapes(run, backbone.hidden)
    prompts.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in block.parameters.values())
    weights = ("attention.logits",) if encoder == "none" and METHODS[method].composed else ()
    silent = {n for n, p in block.parameters.items() if not p.grad.any()}
    assert silent <= set(weights), f"{silent} of {method} get no gradient at all"


def test_the_exact_tensors_that_each_method_trains():
    encoder = {"embedding", "encoder.w1", "encoder.b1", "encoder.w2", "encoder.b2"}
    private, source = ({f"{part}.{name}" for name in encoder} for part in ("private", "source"))
    weights = {"attention.logits", "gate.alpha", "gate.beta"}
    expected = {"pt": private, "mst": source, "spp": private | source | weights, "scp": private | source | weights,
                "mpt": source | {"scale.u", "scale.v"}}
    assert {m: set(parameter_shapes(config(m), 24)) for m in METHODS} == expected
    assert parameter_shapes(config("spp"), 24)["source.encoder.w1"] == (4, 24, 11)
    assert parameter_shapes(config("spp"), 24)["private.embedding"] == (3, 5, 24)
    assert parameter_shapes(config("mst"), 24)["source.embedding"] == (1, 5, 24)


@pytest.mark.parametrize(("settings", "gone"), [
    ({"gates": "off"}, {"gate.alpha", "gate.beta"}),
    ({"gates": "fixed", "alpha": 1, "beta": 2}, {"gate.alpha", "gate.beta"}),
    ({"attention": "uniform"}, {"attention.logits"}),
    ({"form": "sum"}, {"gate.alpha", "gate.beta"}),
    ({"form": "gated_sum"}, {"gate.beta"}),
    ({"sources": 1}, {"gate.alpha", "gate.beta"}),
])
def test_what_is_fixed_or_unused_is_not_trained(settings, gone):
    assert set(parameter_shapes(config("spp"), 24)) - set(parameter_shapes(config("spp", **settings), 24)) == gone


@pytest.mark.parametrize(("sources", "tasks", "expected"), [
    (1, 8, "sigmoid"), (2, 8, "softmax"), (4, 8, "softmax"),
    (5, 8, "sparsemax"), (2, 3, "sparsemax"), (4, 9, "softmax"),
])
def test_auto_follows_the_papers_rule(sources, tasks, expected):
    run = RunConfig(tasks=tuple(map(str, range(tasks))), sources=sources)
    name, why = resolve_normalizer(run)
    assert name == expected
    assert (f"S = {sources}" if sources > 1 else "one source") in why


def test_scp_splits_the_length_rounded_up_or_doubles_it():
    assert structure(config("scp", prompt_length=5)).length == 6
    assert structure(config("scp", prompt_length=4)).length == 4
    assert structure(config("scp", prompt_length=5, scp_length="each")).length == 10


def test_learning_rates_by_default_by_encoder_and_by_rule():
    assert (rate("pt", "private.embedding"), rate("spp", "private.embedding")) == (0.05, 0.02)
    assert [rate("spp", f"{part}.embedding", encoder="none") for part in ("source", "private")] \
        == [VOCABULARY_LR, VOCABULARY_LR]
    assert rate("spp", "source.embedding", encoder="none", lr_source=0.07) == 0.07
    author = {"lr_rule": "author", "lr_source": 0.05, "lr_private": 0.02, "lr_attention": 0.1}
    assert [rate("spp", name, **author) for name in ("attention.logits", "private.embedding", "source.embedding")] \
        == pytest.approx([0.05, 0.02 / 2.386294, 0.05 * 2.386294])
    assert rate("spp", "source.embedding", lr_rule="author", lr_source=0.2) == 0.15


def rate(method, name, **settings):
    return {one.name: one.rate for one in METHODS[method].parameters(config(method, **settings), 24)}[name]


@pytest.mark.parametrize("method", METHODS)
def test_sizes_and_rates_of_prompts_may_be_in_units_of_the_embedding_table(method, backbone):
    size = backbone.table_deviation
    plain, scaled = (build_fleet({"a": config(method, lr_source=0.5, lr_private=0.25, units=units)}, backbone).blocks[0]
                     for units in ("plain", "table"))
    for name, start in plain.parameters.items():
        unit = size if name.endswith(".embedding") else 1.0
        torch.testing.assert_close(scaled.parameters[name], start * unit, rtol=1e-6, atol=1e-8)
        assert scaled.declared[0][name].rate == pytest.approx(plain.declared[0][name].rate * unit)


def test_the_default_rate_of_prompts_from_the_vocabulary_follows_the_table(backbone):
    block = build_fleet({"a": config("spp", encoder="none", lr_source=0.5)}, backbone).blocks[0]
    assert block.declared[0]["private.embedding"].rate == VOCABULARY_LR * backbone.table_deviation
    assert block.declared[0]["source.embedding"].rate == 0.5  # given as a plain number


def test_the_tables_deviation_is_that_of_its_pieces_on_every_number_type(tiny_t5):
    loaded = load_backbone(find_backbone(str(tiny_t5)), "cpu")
    table = loaded.model.get_input_embeddings().weight[:len(loaded.tokenizer)].double().numpy()
    assert loaded.table_deviation == pytest.approx(table.std(), rel=5e-3)
    half = replace(loaded, model=loaded.model.bfloat16())
    assert half.table_deviation == loaded.table_deviation


def test_the_authors_rule_leaves_methods_without_attention_alone():
    for method in (name for name in METHODS if not METHODS[name].composed):
        ruled, plain = (METHODS[method].parameters(config(method, lr_rule=rule), 24) for rule in ("author", "off"))
        assert [one.rate for one in ruled] == [one.rate for one in plain]


@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_says_of_itself_holds_together(method):
    own, run = METHODS[method], config(method)
    parameters = own.parameters(run, 24)
    assert own.name == method and own.title and own.summary and bool(own.lacks) != own.composed
    assert len({one.name for one in parameters}) == len(parameters)
    assert all(len(one.owners) == one.shape[0] for one in parameters)
    assert all(one.shape[0] == len(TASKS) for one in parameters if one.by_task)
    if own.independent:  # else the best step of a task could not be kept by itself
        assert all(one.by_task for one in parameters)


def test_one_source_with_fixed_attention_keeps_its_gates():
    assert "gate.alpha" in parameter_shapes(config("spp", sources=1, attention="uniform"), 24)


OTHER = {"sources": 3, "normalizer": "entmax15", "attention": "uniform", "gates": "off", "alpha": 0.5, "beta": 0.25,
         "form": "sum", "scp_length": "each", "lr_source": 0.9, "lr_private": 0.8, "lr_attention": 0.7, "lr_gate": 0.6,
         "lr_rule": "author", "weight_decay_weights": 0.33, "prompt_length": 7, "encoder": "mlp", "lr_encoder": 0.5,
         "encoder_hidden": 13, "weight_decay_prompt": 0.44, "units": "table"}


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize("method", METHODS)
def test_a_method_ignores_exactly_the_settings_that_change_nothing_in_it(method, name):
    def made(**settings):
        run = config(method, **settings)
        return (structure(run), {k: v.tolist() for k, v in METHODS[method].constants(run).items()},
                [(one.name, one.shape, one.rate, one.by_table, one.decay)
                 for one in METHODS[method].parameters(run, 24)])

    fixed = {"gates": "fixed", "alpha": 1.0, "beta": 1.0} if name in ("alpha", "beta") else {}
    changed = made(**fixed | {name: OTHER[name]}) != made(**fixed)
    assert changed == (name not in METHODS[method].ignores)
