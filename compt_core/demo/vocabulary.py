"""The word-level vocabulary of the demo backbone and its tokenizer."""

from __future__ import annotations

import string
from typing import Any, Final

from compt_core.language.cases import DISLIKES, GRADES, LIKES, NOTHING, SKILLS
from compt_core.language.lexicon import FUNCTION_WORDS, content_words
from compt_core.language.relations import NARROWER, OPPOSITE, OTHER, SAME, WIDER
from compt_core.language.suites import SUITE

PAD, EOS, UNK = "<pad>", "</s>", "<unk>"
SENTINELS: Final = tuple(f"<extra_id_{i}>" for i in range(4))
FIELDS: Final = ("sentence:", "sentence1:", "sentence2:")
WHY: Final = "<why>"  # asks for the relation of every part after the label; for a broken sentence, for the place
WORDS: Final = "<words>"  # asks for the normal form of the texts after the label
RELATIONS: Final = (SAME, WIDER, NARROWER, OTHER, OPPOSITE)
TAGS: Final = tuple(f"{task.name}:" for task in SUITE)
# Sets of label words: those of the suites' tasks, and more for skills whose only set belongs to a task.
STYLES: Final[tuple[tuple[str, ...], ...]] = tuple(dict.fromkeys((
    *(task.labels for task in SUITE),
    ("must", "may", "cannot"), ("implied", "open", "excluded"), tuple(string.ascii_lowercase[:GRADES]),
)))


def skill_token(skill: str) -> str:
    """The word that names a skill in pre-training."""
    return f"<{skill}>"


def style_token(style: tuple[str, ...]) -> str:
    """The word that names a set of label words in pre-training."""
    return f"<{style[0]}/{style[-1]}>"


def taught_styles(skill: str) -> tuple[tuple[str, ...], ...]:
    """The sets of label words that a skill is taught with: those of its size, except those of its own tasks."""
    own = {task.labels for task in SUITE if task.skill == skill}
    return tuple(style for style in STYLES if len(style) == SKILLS[skill].labels and style not in own)


def vocabulary() -> dict[str, int]:
    """Word -> id; pad 0, </s> 1, <unk> 2, then every word that the backbone ever reads or writes."""
    words = [PAD, EOS, UNK, *SENTINELS, *FIELDS, WHY, WORDS, NOTHING, LIKES, DISLIKES, *RELATIONS, *TAGS]
    words += [skill_token(skill) for skill in SKILLS]
    words += [style_token(style) for style in STYLES]
    words += [label for style in STYLES for label in style]
    words += [*FUNCTION_WORDS, *content_words()]
    return {word: index for index, word in enumerate(dict.fromkeys(words))}


def build_tokenizer() -> Any:
    """A `PreTrainedTokenizerFast`: lower-cases, splits at white space, drops punctuation at the end of words."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = vocabulary()
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=UNK))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace("’", "'"), normalizers.Replace(Regex(r"[.,;!?]+(?=\s|$)"), "")])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", pair=f"$A {EOS} $B {EOS}", special_tokens=[(EOS, words[EOS])])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, unk_token=UNK, model_max_length=512,
        extra_special_tokens=list(SENTINELS), clean_up_tokenization_spaces=False)
