"""The word-level vocabulary of the demo backbone and its tokenizer."""

from __future__ import annotations

from typing import Any, Final

from compt_core.demo.lexicon import FUNCTION_WORDS, content_words
from compt_core.demo.pairs import SKILLS
from compt_core.demo.suites import SUITE

PAD, EOS, UNK = "<pad>", "</s>", "<unk>"
SENTINELS: Final = tuple(f"<extra_id_{i}>" for i in range(4))
FIELDS: Final = ("sentence:", "sentence1:", "sentence2:")
WHY: Final = "why:"  # asks for the deciding word after the label
NOTHING: Final = "nothing"  # the deciding word where no part decides alone
TAGS: Final = tuple(f"{task.name}:" for task in SUITE)


def skill_token(skill: str) -> str:
    """The word that names a skill in pre-training."""
    return f"{skill}?"


def style_token(style: int) -> str:
    """The word that names a pair of label words (those of suite task number `style`) in pre-training."""
    return f"{SUITE[style].labels[0]}/{SUITE[style].labels[1]}"


def vocabulary() -> dict[str, int]:
    """Word -> id; pad 0, </s> 1, <unk> 2, then every word that the backbone ever reads or writes."""
    words = [PAD, EOS, UNK, *SENTINELS, *FIELDS, WHY, NOTHING, *TAGS]
    words += [skill_token(skill) for skill in SKILLS]
    words += [style_token(style) for style in range(len(SUITE))]
    words += [label for task in SUITE for label in task.labels]
    words += [*FUNCTION_WORDS, *content_words()]
    return {word: index for index, word in enumerate(dict.fromkeys(words))}


def build_tokenizer() -> Any:
    """A `PreTrainedTokenizerFast`: lower case, split at white space, punctuation at a word's end dropped."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = vocabulary()
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=UNK))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(Regex(r"[.,;!]+(?=\s|$)"), "")])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", pair=f"$A {EOS} $B {EOS}", special_tokens=[(EOS, words[EOS])])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, unk_token=UNK, model_max_length=512,
        extra_special_tokens=list(SENTINELS), clean_up_tokenization_spaces=False)
