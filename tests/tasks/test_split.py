"""Dev rows that are split off: the same on every machine, by label, and no text on both sides."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from compt_core.tasks.files import digest_of
from compt_core.tasks.spec import Row
from compt_core.tasks.split import split_off

TEXTS = st.sampled_from(["a", "A", " a ", "b", "c d", "C  D", "e", "ß", "SS", "", "\ud800"])
ROWS = st.lists(st.builds(lambda one, two, label: Row((one, two), label, float(label)), TEXTS, TEXTS,
                          st.integers(0, 3)), max_size=40)


def rows(count: int, labels: int = 3) -> list[Row]:
    return [Row((f"text {i}", f"other {i % 7}"), i % labels, float(i % labels)) for i in range(count)]


def same(row: Row) -> tuple[str, ...]:
    return tuple(sorted(" ".join(text.split()).casefold() for text in row.texts))


def test_the_split_is_the_same_on_every_machine() -> None:
    assert digest_of(split_off(rows(100), 0.2, 0)) == "8326a0b59258a043437eb1233dd41edd63b2672591dc5e4ab878756a8623f106"
    assert digest_of(split_off(rows(100), 0.2, 1)) == "eea7d63df5d5e44b5bfba702106cb2d10163c6a90a8c574fee2d4fe01e9afcad"


@given(ROWS, st.floats(0.01, 0.99), st.integers(0, 5), st.booleans())
@settings(max_examples=200)
def test_every_row_is_on_one_side_and_no_text_is_on_both(found: list[Row], share: float, seed: int, numeric: bool
                                                         ) -> None:
    train, dev = split_off(found, share, seed, numeric)
    assert Counter(train) + Counter(dev) == Counter(found)
    assert not {same(row) for row in train} & {same(row) for row in dev}
    places = [found.index(row) for row in dict.fromkeys(train)]
    assert places == sorted(places)
    if len({same(row) for row in found}) > 1:
        assert train and dev


@given(ROWS, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_the_order_of_the_rows_does_not_matter(found: list[Row], dice: object) -> None:
    """Where no text has several labels, since then its first row says its label."""
    found = list({same(row): row for row in found}.values())
    shuffled = sorted(found, key=lambda row: dice.random())  # type: ignore[attr-defined]
    assert set(split_off(found, 0.3, 0)[1]) == set(split_off(shuffled, 0.3, 0)[1])


def test_each_label_gives_the_same_share_and_keeps_a_row() -> None:
    uneven = [Row((f"text {i}",), 0 if i < 80 else 1 if i < 99 else 2, 0.0) for i in range(100)]
    train, dev = split_off(uneven, 0.2, 3)
    assert Counter(row.label for row in dev) == {0: 16, 1: 4}
    assert Counter(row.label for row in train) == {0: 64, 1: 15, 2: 1}


def test_numbers_are_split_by_how_large_they_are() -> None:
    found = [Row((f"text {i}",), 0, i / 10) for i in range(50)]
    assert Counter(int(row.value) for row in split_off(found, 0.2, 0, numeric=True)[1]) == dict.fromkeys(range(5), 2)


def test_equal_texts_in_any_case_order_and_space_stay_together() -> None:
    twins = [Row(("The cat", "a dog"), 0, 0.0), Row(("A  DOG", "the cat "), 1, 1.0)]
    for seed in range(20):
        train, dev = split_off([*twins, *rows(8)], 0.4, seed)
        assert len({twin in dev for twin in twins}) == 1 and len(train) + len(dev) == 10
