"""The words of the demo language. The two words of a concept are synonyms and mean exactly the same.

Persons, things and places have a category above them (a chef is a worker); actions have a polarity and an antonym.
Nothing here is random and nothing loads numpy. If a word changes, every table follows.
"""

from __future__ import annotations

from typing import Final

Concept = tuple[str, str]  # two synonyms
Categories = tuple[tuple[Concept, tuple[Concept, ...]], ...]

PERSONS: Final[Categories] = (
    (("worker", "employee"),
     (("doctor", "physician"), ("cook", "chef"), ("teacher", "instructor"), ("guard", "watchman"))),
    (("child", "kid"),
     (("boy", "lad"), ("girl", "lass"), ("baby", "infant"), ("toddler", "tot"))),
    (("artist", "creator"),
     (("singer", "vocalist"), ("writer", "author"), ("painter", "portraitist"), ("actor", "performer"))),
    (("traveler", "voyager"),
     (("tourist", "sightseer"), ("sailor", "seaman"), ("pilot", "aviator"), ("driver", "motorist"))),
)
THINGS: Final[Categories] = (
    (("animal", "creature"),
     (("dog", "hound"), ("cat", "kitty"), ("rabbit", "bunny"), ("pig", "hog"))),
    (("device", "gadget"),
     (("phone", "telephone"), ("tv", "television"), ("lamp", "lantern"), ("fridge", "refrigerator"))),
    (("garment", "clothing"),
     (("coat", "overcoat"), ("hat", "cap"), ("shoe", "boot"), ("sweater", "pullover"))),
    (("vehicle", "conveyance"),
     (("car", "automobile"), ("bike", "bicycle"), ("boat", "vessel"), ("plane", "aircraft"))),
)
PLACES: Final[Categories] = (
    (("indoors", "inside"),
     (("cellar", "basement"), ("attic", "loft"), ("shop", "store"), ("corridor", "hallway"),
      ("prison", "jail"), ("hotel", "inn"))),
    (("outdoors", "outside"),
     (("garden", "yard"), ("forest", "woods"), ("street", "road"), ("field", "meadow"),
      ("harbor", "port"), ("valley", "vale"))),
)
QUALITIES: Final[tuple[Concept, ...]] = (
    ("big", "large"), ("small", "little"), ("old", "aged"), ("new", "modern"),
    ("quiet", "silent"), ("loud", "noisy"), ("famous", "renowned"), ("unknown", "obscure"),
    ("clean", "spotless"), ("dirty", "filthy"), ("pretty", "beautiful"), ("odd", "strange"),
)
TIMES: Final[tuple[Concept, ...]] = (
    ("spring", "springtime"), ("summer", "summertime"), ("autumn", "fall"), ("winter", "wintertime"),
)
# (base form, past form) of two synonyms; DISLIKING has the antonyms of LIKING, in order.
LIKING: Final = (
    (("love", "loved"), ("adore", "adored")), (("praise", "praised"), ("commend", "commended")),
    (("admire", "admired"), ("esteem", "esteemed")), (("defend", "defended"), ("protect", "protected")),
    (("accept", "accepted"), ("embrace", "embraced")), (("recommend", "recommended"), ("endorse", "endorsed")),
)
DISLIKING: Final = (
    (("hate", "hated"), ("detest", "detested")), (("criticize", "criticized"), ("fault", "faulted")),
    (("despise", "despised"), ("scorn", "scorned")), (("attack", "attacked"), ("assault", "assaulted")),
    (("reject", "rejected"), ("refuse", "refused")), (("condemn", "condemned"), ("denounce", "denounced")),
)
ACTIONS: Final = LIKING + DISLIKING
assert len(LIKING) == len(DISLIKING), "every action needs its antonym"
FUNCTION_WORDS: Final = ("the", "in", "by", "was", "wasn't", "did", "didn't", "not",
                         "who", "whom", "what", "where", "when")


def _flatten(categories: Categories) -> tuple[Concept, ...]:
    """Members first, in the order of their categories; then the categories themselves."""
    members = tuple(concept for _, below in categories for concept in below)
    return members + tuple(category for category, _ in categories)


# Slot name -> its concepts by code. A code at or above MEMBERS[slot] is a category.
CONCEPTS: Final[dict[str, tuple[Concept, ...]]] = {
    "person": _flatten(PERSONS),
    "action": tuple((first[1], second[1]) for first, second in ACTIONS),
    "thing": _flatten(THINGS),
    "quality": QUALITIES,
    "place": _flatten(PLACES),
    "time": TIMES,
}
MEMBERS: Final[dict[str, int]] = {
    "person": sum(len(below) for _, below in PERSONS), "action": len(ACTIONS),
    "thing": sum(len(below) for _, below in THINGS), "quality": len(QUALITIES),
    "place": sum(len(below) for _, below in PLACES), "time": len(TIMES),
}
# Slot name -> number of members of each of its categories; slots without categories are left out.
CATEGORY_SIZE: Final[dict[str, int]] = {"person": 4, "thing": 4, "place": 6}


def content_words() -> tuple[str, ...]:
    """Every word of the language except the function words, each once, in a fixed order."""
    words = [word for concepts in CONCEPTS.values() for concept in concepts for word in concept]
    words += [form for action in ACTIONS for synonym in action for form in synonym]
    return tuple(dict.fromkeys(words))
