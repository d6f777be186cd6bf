"""MPT against the multitask prompt tuning of the peft library, on the same tensors."""

import pytest
import torch

from compt_core.backbone.t5 import decode, encode, pad_targets
from compt_core.settings.config import RunConfig
from compt_core.tasks.batches import collate, encode_rows, label_ids
from compt_core.tasks.spec import Row
from compt_core.tasks.table import TASKS
from compt_core.training.fleet import build_fleet
from compt_core.training.passes import forward_backward
from compt_core.training.plan import Example, RunPlan

NAMES, P = ("sst2", "cola", "rte"), 5
ROWS = {"sst2": Row(("the quiet river finds a garden",), 1, 1.0), "cola": Row(("a broken engine of",), 0, 0.0),
        "rte": Row(("the old teacher repairs a window", "a window is repaired"), 0, 0.0)}


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft's call
def test_prompts_answers_and_gradients_are_those_of_pefts_multitask_prompt_tuning(backbone64, tiny_t5):
    from peft import MultitaskPromptTuningConfig, get_peft_model
    from transformers import AutoModelForSeq2SeqLM

    run = RunConfig(tasks=NAMES, method="mpt", prompt_length=P, encoder="none", position="before_all", shots=1, batch=3)
    fleet = build_fleet({"a": run}, backbone64)
    block = fleet.blocks[0]
    with torch.no_grad():
        for tensor in block.parameters.values():
            tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(tensor.numel())))
    peer = get_peft_model(
        AutoModelForSeq2SeqLM.from_pretrained(tiny_t5),
        MultitaskPromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_tasks=len(NAMES), num_virtual_tokens=P, num_ranks=1,
                                    num_transformer_submodules=1)).eval().double()
    theirs = peer.prompt_encoder["default"]
    with torch.no_grad():
        theirs.embedding.weight.copy_(block.parameters["source.embedding"][0, 0])
        theirs.prefix_task_cols.copy_(block.parameters["scale.u"][0, :, :, None])
        theirs.prefix_task_rows.copy_(block.parameters["scale.v"][0, :, None])

    encoded = [encode_rows(backbone64.tokenizer, TASKS[name], [ROWS[name]], prefix="neutral", position="before_all",
                           max_tokens=64)[0] for name in NAMES]
    targets = [label_ids(backbone64.tokenizer, TASKS[name].labels)[ROWS[name].label] for name in NAMES]
    inputs, wanted, inside = pad_targets(targets, backbone64.model.config.decoder_start_token_id, backbone64.device)
    bare = [list(row.before + row.after) for row in encoded]
    longest = max(map(len, bare))
    answer = peer(
        input_ids=torch.tensor([row + [0] * (longest - len(row)) for row in bare]),
        attention_mask=torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in bare]),
        labels=wanted.masked_fill(inside == 0, -100), task_ids=torch.arange(len(NAMES))).logits

    prompts = block.compose()[0]
    given = theirs(torch.arange(P).expand(len(NAMES), -1), torch.arange(len(NAMES)))
    torch.testing.assert_close(prompts, given, atol=1e-5, rtol=1e-5)
    memory = encode(backbone64, collate(encoded, [P] * len(NAMES)), prompts.flatten(0, 1))
    ours = backbone64.model.lm_head(decode(backbone64, memory, inputs) * backbone64.hidden**-0.5)
    assert ((ours - answer) * inside[..., None]).abs().max() < 1e-5 * answer.abs().max()

    picked = answer.log_softmax(-1).gather(-1, wanted[..., None]).squeeze(-1)
    (-(picked * inside).sum(-1) / inside.sum(-1)).mean().backward()  # a mean over tasks of each task's mean per token
    examples = tuple((Example(k, row, target),) for k, (row, target) in enumerate(zip(encoded, targets, strict=True)))
    forward_backward(fleet, [("a", example) for example, in examples], {"a": 0},
                     {"a": RunPlan(run, examples, (), 1, {})})
    for mine, other in (("source.embedding", theirs.embedding.weight.grad[None]),
                        ("scale.u", theirs.prefix_task_cols.grad.squeeze(-1)),
                        ("scale.v", theirs.prefix_task_rows.grad.squeeze(1))):
        torch.testing.assert_close(block.parameters[mine].grad[0], other, atol=1e-5, rtol=1e-5)


def test_every_task_begins_with_the_shared_prompt(backbone):
    run = RunConfig(tasks=NAMES, method="mpt", prompt_length=P, encoder_hidden=7)
    block = build_fleet({"a": run}, backbone).blocks[0]
    assert torch.equal(block.compose()[0], block.prompts("source")[0].expand(len(NAMES), -1, -1))
