"""The words of every page: each explained once, in the folder of its page or, where several need it, for all."""

from __future__ import annotations

import ast
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from app.learn.view import STEPS
from app.show import glossary

ROOT = Path(__file__).resolve().parents[2]
OWN = {path.parent.name: import_module(f"app.{path.parent.name}.terms").TERMS
       for path in sorted((ROOT / "app").glob("*/terms.py"))}


def explained(page: Path) -> list[str]:
    """The terms that a page's script hands to its header; Learn's are those of its steps."""
    if page.stem == "learn":
        return list(dict.fromkeys(term for step in STEPS.values() for term in step.terms))
    [header] = [node for node in ast.walk(ast.parse(page.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute) and node.func.attr == "header"
                and ast.unparse(node.func.value) == "components"]
    assert [keyword.arg for keyword in header.keywords] == (["own"] if page.stem in OWN else [])
    return [ast.literal_eval(term) for term in header.args[1:]]


PAGES = {page.stem: explained(page) for page in sorted((ROOT / "pages").glob("*.py"))}


def test_no_term_is_explained_twice():
    declared = Counter([*glossary.TERMS, *(term for terms in OWN.values() for term in terms)])
    assert [term for term, times in declared.items() if times > 1] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_explains_terms_that_there_are_and_all_its_own(page):
    own = OWN.get(page, {})
    assert glossary.explain(*PAGES[page], own=own).count("\n- **") == len(PAGES[page]) - 1
    assert set(own) <= set(PAGES[page])


def test_a_shared_term_is_one_of_several_pages():
    for term in glossary.TERMS:
        pages = [page for page, terms in PAGES.items() if term in terms]
        assert len(pages) > 1, f"'{term}' belongs into app/{pages[0] if pages else '…'}/terms.py"


def test_a_term_is_a_sentence_that_ends():
    for term, text in {**glossary.TERMS, **{t: x for terms in OWN.values() for t, x in terms.items()}}.items():
        assert text.endswith(".") and text[0].isupper() and "  " not in text, term


def test_a_term_that_nobody_explains_is_an_error():
    with pytest.raises(KeyError):
        glossary.explain("no such term")
