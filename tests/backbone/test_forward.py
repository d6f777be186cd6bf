"""The frozen T5 with our prompts against other people's code on the same weights."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from compt_core.backbone.t5 import PackedLabels, decode, encode, pad_targets, target_log_probs
from compt_core.tasks.batches import collate, encode_rows, label_ids
from compt_core.tasks.spec import Row
from compt_core.tasks.table import TASKS

SST2 = [Row(("the quiet river finds a garden",), 1, 1.0), Row(("a broken engine",), 0, 0.0),
        Row(("the old teacher repairs the window and forgets the letter",), 1, 1.0)]
P = 5


def encoded(backbone, position="before_all", task="sst2", rows=SST2):
    return encode_rows(backbone.tokenizer, TASKS[task], rows, prefix="neutral", position=position, max_tokens=64)


def start(backbone):
    return backbone.model.config.decoder_start_token_id


@pytest.fixture
def prompt(backbone):
    return torch.randn(P, backbone.hidden)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft's call
def test_a_prompt_before_everything_equals_peft_prompt_tuning(backbone, prompt, tiny_t5):
    from peft import PromptTuningConfig, TaskType, get_peft_model
    from transformers import AutoModelForSeq2SeqLM

    peer = get_peft_model(
        AutoModelForSeq2SeqLM.from_pretrained(tiny_t5),
        PromptTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=P, num_transformer_submodules=1),
    ).eval()
    with torch.no_grad():
        peer.prompt_encoder["default"].embedding.weight.copy_(prompt)
    rows = encoded(backbone)
    bare = [list(row.before + row.after) for row in rows]
    ids, mask = (torch.tensor([[*(row if kind == "ids" else [1] * len(row)), *[0] * (max(map(len, bare)) - len(row))]
                               for row in bare]) for kind in ("ids", "mask"))
    targets = label_ids(backbone.tokenizer, ["positive", "negative", "positive"])
    inputs, wanted, inside = pad_targets(targets, start(backbone), backbone.device)
    with torch.no_grad():
        theirs = peer(input_ids=ids, attention_mask=mask, decoder_input_ids=inputs).logits
        memory = encode(backbone, collate(rows, [P] * len(rows)), prompt.repeat(len(rows), 1))
        ours = backbone.model.lm_head(decode(backbone, memory, inputs) * backbone.hidden**-0.5)
    assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()
    picked = theirs.log_softmax(-1).gather(-1, wanted[..., None]).squeeze(-1)
    states = decode(backbone, memory, inputs)
    ours = target_log_probs(backbone, states, wanted)
    torch.testing.assert_close(ours * inside, picked * inside, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("variant", [{}, {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}])
@pytest.mark.parametrize("bucket", [1, 16])
def test_packed_rows_equal_transformers_own_padded_pass(backbone64, variant, bucket):
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(**(backbone64.model.config.to_diff_dict() | {"num_decoder_layers": 2} | variant))
    model = T5ForConditionalGeneration(config).double().eval().requires_grad_(False)
    ours = replace(backbone64, model=model)
    rows = sorted(encoded(ours), key=lambda row: row.length(P))
    prompts = torch.randn(len(rows), P, ours.hidden, dtype=torch.float64, requires_grad=True)
    inputs, _, _ = pad_targets([(5, 7, 1), (9, 1), (4, 1)], 0, ours.device)
    memory = encode(ours, collate(rows, [P] * len(rows), bucket), prompts.flatten(0, 1))
    states, mask = memory.padded()
    got = decode(ours, memory, inputs)
    found, = torch.autograd.grad(got.square().sum(), prompts)

    table, width = model.get_input_embeddings().weight, states.shape[1]
    each = [torch.cat([table[list(row.before)], prompt, table[list(row.after)]])
            for row, prompt in zip(rows, prompts, strict=True)]
    wide = torch.stack([torch.nn.functional.pad(row, (0, 0, 0, width - len(row))) for row in each])
    theirs = model.encoder(inputs_embeds=wide, attention_mask=mask).last_hidden_state
    want = model.decoder(input_ids=inputs, encoder_hidden_states=theirs, encoder_attention_mask=mask).last_hidden_state
    gradient, = torch.autograd.grad(want.square().sum(), prompts)
    torch.testing.assert_close(states * mask[..., None], theirs * mask[..., None])
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(found, gradient)


def test_bfloat16_passes_in_padded_groups_stay_near_float32(backbone):
    half = replace(backbone, model=copy.deepcopy(backbone.model).bfloat16())
    rows = sorted(encoded(backbone), key=lambda row: row.length(P))
    prompts = torch.randn(len(rows) * P, backbone.hidden, requires_grad=True)
    words = PackedLabels(label_ids(backbone.tokenizer, ["positive", "not_entailment"]), 0, backbone.device)
    scores, gradients = [], []
    for ours, bucket in ((backbone, 1), (half, 16)):
        scores.append(words.scores(ours, encode(ours, collate(rows, [P] * len(rows), bucket), prompts)))
        gradients.append(torch.autograd.grad(scores[-1].sum(), prompts)[0])
    assert scores[1].dtype == gradients[1].dtype == torch.float32
    torch.testing.assert_close(scores[1], scores[0], rtol=0.02, atol=0.1)
    assert torch.cosine_similarity(*(g.flatten() for g in gradients), dim=0) > 0.99


@pytest.mark.parametrize("task", ["sst2", "mnli", "stsb", "qqp"])
def test_label_scores_equal_those_of_transformers_own_loss(backbone, prompt, task):
    spec = TASKS[task]
    rows = [Row(row.texts * len(spec.columns), 0, 0.0) for row in SST2]
    batch = collate(encoded(backbone, "after_prefix", task, rows), [P] * len(rows))
    words = label_ids(backbone.tokenizer, spec.labels)
    with torch.no_grad():
        memory = encode(backbone, batch, prompt.repeat(len(rows), 1))
        states, mask = memory.padded()
        summed = PackedLabels(words, start(backbone), backbone.device).scores(backbone, memory)
        means = PackedLabels(words, start(backbone), backbone.device).scores(backbone, memory, mean=True)
        for c, word in enumerate(words):
            for b in range(len(rows)):
                loss = backbone.model(encoder_outputs=(states[b : b + 1],), attention_mask=mask[b : b + 1],
                                      labels=torch.tensor([word])).loss  # mean over the word's tokens and </s>
                assert summed[b, c].item() == pytest.approx(-loss.item() * len(word), rel=1e-5, abs=1e-5)
                assert means[b, c].item() == pytest.approx(-loss.item(), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("position", ["before_all", "after_prefix", "after_text"])
def test_padding_outside_and_batch_mates_change_nothing(backbone64, position):
    rows = encoded(backbone64, position)
    prompts = torch.randn(len(rows), P, backbone64.hidden, dtype=torch.float64)
    packed = PackedLabels(label_ids(backbone64.tokenizer, ["positive", "not_entailment"]), 0, backbone64.device)

    def scores(chosen, extra):
        batch = collate([rows[i] for i in chosen], [P] * len(chosen), extra=extra)
        with torch.no_grad():
            return packed.scores(backbone64, encode(backbone64, batch, prompts[chosen].flatten(0, 1)))

    together = scores([0, 1, 2], 0)
    torch.testing.assert_close(scores([2, 0, 1], 24)[[1, 2, 0]], together, atol=1e-6, rtol=1e-6)
    for i in range(3):
        torch.testing.assert_close(scores([i], 0)[0], together[i], atol=1e-6, rtol=1e-6)


def test_the_prompt_stands_where_position_says(backbone):
    eos, head = backbone.tokenizer.eos_token_id, len(encoded(backbone, "after_prefix")[0].before)
    before, middle, after = (encoded(backbone, p)[0] for p in ("before_all", "after_prefix", "after_text"))
    assert before.before == () and after.after == (eos,)
    assert middle.before == before.after[:head] == after.before[:head]
    assert before.before + before.after == middle.before + middle.after == after.before + after.after
    batch = collate([middle], [P])
    assert batch.places.tolist() == list(range(head, head + P))
    assert len(batch.ids) == middle.length(P)
    assert (batch.ids[head : head + P] == 0).all()
    assert np.array_equal(batch.ids[head + P :], middle.after)


def test_gradients_reach_the_prompt_and_no_weight_of_the_backbone(backbone, prompt):
    rows = encoded(backbone)
    leaf = prompt.clone().requires_grad_()
    memory = encode(backbone, collate(rows, [P] * len(rows)), leaf.repeat(len(rows), 1))
    inputs, targets, inside = pad_targets(label_ids(backbone.tokenizer, ["positive"] * 3), 0, backbone.device)
    (target_log_probs(backbone, decode(backbone, memory, inputs), targets) * inside).sum().backward()
    assert leaf.grad is not None and leaf.grad.abs().min() > 0
    assert not backbone.model.training
    assert all(not p.requires_grad and p.grad is None for p in backbone.model.parameters())
