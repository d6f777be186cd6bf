"""Pre-training: lessons keep what is held out held out; a short run learns and resumes to the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from compt_core.demo.backbone import collate, forward, new_backbone
from compt_core.demo.lessons import NOISE, STAGES, Mix, lessons
from compt_core.demo.pretrain import Plan, Progress, load_checkpoint, main, new_optimizer, save_checkpoint, train
from compt_core.demo.vocabulary import STYLES, TAGS, UNK, skill_token, style_token, taught_styles, vocabulary
from compt_core.language.cases import SKILLS
from compt_core.language.suites import SUITE, held_out_sentences, held_out_templates

PLAN = Plan(steps=40, batch=8, warmup=4, seed=3)


def _words(ids: list[int]) -> list[str]:
    known = {index: word for word, index in vocabulary().items()}
    return [known.get(index, "noise") for index in ids]


@pytest.fixture(scope="module")
def taught() -> list[list[str]]:
    rows = lessons(0, 0, 4000, Mix(STAGES, replay=0.0))
    return [_words(row.inputs) for row in rows]


def _texts(row: list[str]) -> list[str]:
    start = next(i for i, word in enumerate(row) if word in ("sentence:", "sentence1:"))
    return " ".join(row[start + 1:-1]).split(" sentence2: ")


def test_no_sentence_of_the_suites_is_taught(taught: list[list[str]]) -> None:
    early = [_words(row.inputs) for stage in (4, 5) for row in lessons(0, 7, 6000, Mix(stage, members=4 * stage))]
    for row in (*taught, *early):
        assert held_out_sentences().isdisjoint(_texts(row))


def test_no_skill_is_taught_with_the_label_words_of_its_tasks(taught: list[list[str]]) -> None:
    tokens = {skill_token(skill): skill for skill in SKILLS}
    styles = {style_token(style): style for style in STYLES}
    assert len(styles) == len(STYLES)
    seen = {(tokens[a], styles[b]) for row in taught for a in row if a in tokens for b in row if b in styles}
    assert not {(task.skill, task.labels) for task in SUITE} & seen
    assert seen == {(skill, style) for skill in SKILLS for style in taught_styles(skill)}, "all others are taught"


def test_no_skill_is_taught_in_the_templates_of_its_tasks(taught: list[list[str]]) -> None:
    def fronted(text: str) -> bool:
        return text.split()[0] in ("in", "indoors", "inside", "outdoors", "outside")

    def passive(text: str) -> bool:
        return " by the " in f" {text} "

    held = held_out_templates()
    for skill in ("mood", "meaning", "follows", "verdict", "similarity"):
        orders = {tuple(2 * passive(text) + fronted(text) for text in _texts(row))
                  for row in taught if skill_token(skill) in row}
        assert len(held[skill]) == 4 and len(orders) == 16 - 4 and not orders & held[skill]


def test_every_word_and_prefix_is_taught(taught: list[list[str]]) -> None:
    read = {word for row in taught for word in row}
    written = {word for name in (None, "contrast")
               for row in lessons(0, 1, 5000, Mix(STAGES), name) for word in _words(row.targets)}
    missing = set(vocabulary()) - read - written - {"<pad>", "<extra_id_2>", "<extra_id_3>"}
    assert not missing
    assert {row[0] for row in taught} == {*TAGS, UNK}


def test_early_lessons_speak_of_few_words() -> None:
    def spoken(members: int) -> int:
        return len({word for row in lessons(0, 4, 600, Mix(1, members=members)) for word in _words(row.inputs)})

    assert spoken(4) < 0.75 * spoken(1000)


def test_lessons_depend_on_seed_step_and_mix_alone() -> None:
    mix = Mix(3)
    assert lessons(5, 9, 20, mix) == lessons(5, 9, 20, mix)
    assert lessons(5, 9, 20, mix) != lessons(5, 10, 20, mix)
    assert lessons(5, 9, 20, mix) != lessons(6, 9, 20, mix)


def test_noise_stands_in_the_prefix_only() -> None:
    rows = lessons(0, 2, 400, Mix(STAGES, noise=1.0, spans=0.0))
    for row in rows:
        words = _words(row.inputs)
        field = next(i for i, word in enumerate(words) if word.startswith("sentence"))
        assert NOISE in row.inputs[1:field] and NOISE not in row.inputs[field:]


def test_padding_does_not_change_a_lesson() -> None:
    rows = lessons(0, 3, 6, Mix(STAGES, noise=0.0))
    model = new_backbone(0).eval()
    short = min(rows, key=lambda row: len(row.inputs))
    together = forward(model, collate(rows, torch.device("cpu")), torch.Generator())[rows.index(short)]
    alone = forward(model, collate([short], torch.device("cpu")), torch.Generator())[0]
    assert torch.allclose(together[:len(short.targets)], alone, atol=1e-4)


def test_a_short_run_lowers_its_loss_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    straight = new_backbone(PLAN.seed)
    progress = Progress()
    losses = train(straight, new_optimizer(straight, PLAN), PLAN, progress, until=20)
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])

    first = new_backbone(PLAN.seed)
    optimizer, begun = new_optimizer(first, PLAN), Progress()
    train(first, optimizer, PLAN, begun, until=9)
    save_checkpoint(tmp_path / "slice.pt", first, optimizer, PLAN, begun)
    again = new_backbone(99)
    optimizer = new_optimizer(again, PLAN)
    resumed = load_checkpoint(tmp_path / "slice.pt", again, optimizer, PLAN)
    assert resumed.step == 9
    train(again, optimizer, PLAN, resumed, until=20)
    assert resumed.right == progress.right
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def test_a_checkpoint_of_another_plan_is_refused(tmp_path: Path) -> None:
    model = new_backbone(0)
    optimizer = new_optimizer(model, PLAN)
    save_checkpoint(tmp_path / "slice.pt", model, optimizer, PLAN, Progress())
    with pytest.raises(ValueError, match="made with other settings"):
        load_checkpoint(tmp_path / "slice.pt", model, optimizer, Plan(steps=40, batch=9, warmup=4, seed=3))


def test_the_number_of_steps_may_change_between_slices(tmp_path: Path) -> None:
    model = new_backbone(0)
    optimizer = new_optimizer(model, PLAN)
    save_checkpoint(tmp_path / "slice.pt", model, optimizer, PLAN, Progress(step=5))
    longer = Plan(steps=41, batch=8, warmup=4, seed=3)
    assert load_checkpoint(tmp_path / "slice.pt", model, optimizer, longer).step == 5


def test_the_command_line_writes_a_backbone(tmp_path: Path) -> None:
    command = ["--out", str(tmp_path / "out"), "--checkpoint", str(tmp_path / "ck" / "slice.pt"), "--steps", "2"]
    main([*command, "--stop", "1"])
    main(command)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= written
    log = (tmp_path / "ck" / "slice.log").read_text()
    assert (log.count("step 1 of 2"), log.count("step 2 of 2")) == (1, 1)
