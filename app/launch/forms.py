"""The launch form: widgets over a draft in the session, each with its help and, below it, its problems.

The draft is complete before the first widget is drawn. So the page can build the experiment first, and every field can
show what is wrong with it. Nothing that was typed is lost, right or wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import streamlit as st

from app.launch import families, fetching, summary
from app.show import captions, styles
from app.ui import components, drafts, rows
from compt_core.backbone.english import ENGLISH
from compt_core.errors import Issue
from compt_core.methods.parts import resolve_normalizer
from compt_core.methods.table import METHODS
from compt_core.settings.config import Experiment, RunConfig
from compt_core.settings.presets import PRESETS, TITLES
from compt_core.tasks import own

FIRST_PRESET = "demo"
MOST_PROBLEMS = 3  # shown at one field
_KEEP: Any = "session"  # a visit to another page keeps the draft
PRESET_HELP = ("Fills the whole form. The two demos and the first three experiments need nothing but what is bundled. "
               "GLUE and SET2 need a T5 model and data, from the hub or from a folder.")
METHODS_HELP = "Each method that you choose is a row of the comparison."
VARIANTS_HELP = ("Each line adds a row with its own settings. Write a name, a colon, the method, and what differs from "
                 "the settings below, as in 'long: method=pt prompt_length=10'. This lets you compare prompt lengths, "
                 "numbers of sources or normalisers. A line that begins with a method's own name changes the settings "
                 "of that method.")
BACKBONES = ["demo", ENGLISH, "google-t5/t5-base", "google/t5-base-lm-adapt", "google/flan-t5-base"]


def key(name: str) -> str:
    """Session key of a field's widget."""
    return drafts.key(name)


def ready() -> None:
    """Fills the draft with the demo preset on a visitor's first visit, and chooses a backbone that was fetched."""
    if any(key(name) not in st.session_state for name in drafts.FIELDS):
        st.session_state.setdefault(key("preset"), FIRST_PRESET)
        _fill(FIRST_PRESET)
    fetching.select(key("backbone"))


def draft() -> dict[str, Any]:
    """The widget values as they stand, by field."""
    return {name: st.session_state[key(name)] for name in drafts.FIELDS}


def preset_picker() -> None:
    """The named starting points; choosing one fills every field."""
    st.pills("Start from", list(PRESETS), wrap=True, key=key("preset"), on_change=_fill_chosen, help=PRESET_HELP,
             persist_state=_KEEP, format_func=lambda name: TITLES[name])
    preset = st.session_state[key("preset")]
    if preset and (changed := drafts.changed(draft(), preset)):
        st.caption(f"Changed from the preset: {', '.join(changed)}.")


def _fill_chosen() -> None:
    chosen = st.session_state[key("preset")]
    if chosen:
        _fill(chosen)


def _fill(preset: str) -> None:
    for name, value in drafts.from_preset(preset).items():
        st.session_state[key(name)] = value


def basics(issues: Sequence[Issue], notes: Sequence[str] = ()) -> None:
    """Tasks, methods, shots, seeds, backbone and data; `notes` is what a check found in the data."""
    # Unknown ones stay, with their problem.
    known = list(dict.fromkeys([*own.known(), *st.session_state[key("tasks")]]))
    with st.expander("Choose whole suites and families of tasks", icon=":material/category:", key="families"):
        families.pickers(key("tasks"))
    st.multiselect(drafts.label("tasks"), known, key=key("tasks"), persist_state=_KEEP, wrap=True,
                   placeholder="Choose one or more tasks",
                   help=_help("tasks") + " The tasks demo-… are bundled; the others need data. Tasks "
                                        "of your own are made on the page Data.")
    st.caption(summary.families(st.session_state[key("tasks")]))
    _problems("tasks", issues)
    st.pills(drafts.label("methods"), list(METHODS), wrap=True, selection_mode="multi", key=key("methods"),
             format_func=styles.label, help=METHODS_HELP, persist_state=_KEEP)
    _problems("methods", issues)
    _variants(issues)
    left, right = st.columns(2)
    with left:
        _text("shots", issues, "8, 16")
        st.selectbox(drafts.label("backbone"), _with_typed("backbone", BACKBONES), key=key("backbone"),
                     accept_new_options=True, persist_state=_KEEP,
                     help=_help("backbone") + " You can type a folder or a hub id.")
        _problems("backbone", issues)
    with right:
        _text("seeds", issues, "0, 1, 2 or 0-9")
        _text("data_dir", issues, summary.without_folder(st.session_state[key("tasks")]))
    # Across both columns: a narrow one would cut the sentences and the buttons.
    if notes:
        with st.expander(f"{captions.plural(len(notes), 'note')} about the data", expanded=True, key="data_notes"):
            for note in notes:
                st.markdown(captions.literal(note))
    fetching.below(st.session_state[key("backbone")], st.session_state[key("data_dir")])
    st.page_link(components.page("data"), label="Bring your own data", icon=":material/upload_file:",
                 query_params={"mode": "own"}, help="A task of your own from a table, or rows for a task of GLUE, SET2 "
                                                    "or english.")


def _variants(issues: Sequence[Issue]) -> None:
    """The rows that differ from the plain methods, one per line; says which lines wait for their method."""
    lines = st.session_state[key("variants")] or ""
    wrapped = sum(1 + len(line) // 60 for line in lines.splitlines())
    st.text_area(drafts.label("variants"), key=key("variants"), persist_state=_KEEP, max_chars=20_000,
                 height=68 + 24 * min(max(wrapped - 1, 0), 8), placeholder="pt-long: method=pt prompt_length=10",
                 help=VARIANTS_HELP)
    if waiting := rows.resting(st.session_state[key("methods")], lines):
        st.caption(f"{captions.listed([styles.label(name) for name in waiting])}: these settings are kept, and used "
                   "once you choose the method above.")
    _problems("variants", issues)


def fields(names: Sequence[str], issues: Sequence[Issue], columns: int = 2) -> None:
    """The named fields in columns, each with the widget for its type."""
    shown = [name for name in names if name not in ("alpha", "beta") or st.session_state[key("gates")] == "fixed"]
    slots = st.columns(columns)
    for number, name in enumerate(shown):
        with slots[number % columns]:
            _field(name, issues)


def advanced_box(issues: Sequence[Issue]) -> AbstractContextManager[Any]:
    """The box with the advanced fields. It opens by itself when one of them has a problem."""
    if any(issue.field in drafts.ADVANCED for issue in issues):
        st.session_state[key("advanced")] = True
    return st.expander("Advanced", icon=":material/tune:", key=key("advanced"), on_change="rerun")


def to_correct(issues: Sequence[Issue]) -> str:
    """How many problems there are, and at which fields; Markdown."""
    fields = [f"{drafts.label(name)}{' (Advanced)' if name in drafts.ADVANCED else ''}"
              for name in dict.fromkeys(issue.field for issue in issues) if name in drafts.FIELDS]
    where = f": {captions.listed(fields)}" if fields else ""
    return f":red[{captions.plural(len(issues), 'problem')} to correct{where}.]"


def elsewhere(issues: Sequence[Issue]) -> list[str]:
    """The problems that belong to no field of the form, as Markdown."""
    return [captions.literal(issue.message) for issue in issues if issue.field not in drafts.FIELDS]


def normalizer_note(values: Mapping[str, Any]) -> str:
    """Which normaliser 'auto' chooses for the draft, and why; "" where another one is set."""
    sources, tasks = values["sources"], values["tasks"]
    if values["normalizer"] != "auto" or sources is None or not tasks:
        return ""
    name, why = resolve_normalizer(RunConfig.model_construct(sources=sources, tasks=tuple(tasks)))
    return f"auto chooses {name} ({why})."


def _field(name: str, issues: Sequence[Issue]) -> None:
    kind, help_text = drafts.kind(name), _help(name)
    holds: dict[str, Any] = {"on_change": _hold_for_all, "args": (name,)}
    if name == "attention":
        st.selectbox(drafts.label(name), _with_typed(name, kind.choices), key=key(name), accept_new_options=True,
                     persist_state=_KEEP, help=help_text + " You can type a matrix, as [[1, 0], [0, 1]].", **holds)
    elif kind.choices:
        st.selectbox(drafts.label(name), kind.choices, key=key(name), help=help_text, persist_state=_KEEP, **holds)
    elif kind.number is not None:
        whole = kind.number is int
        st.number_input(drafts.label(name), value=None, step=1 if whole else 0.01, format="%d" if whole else "%g",
                        key=key(name), help=help_text, persist_state=_KEEP, **holds,
                        placeholder=drafts.EMPTY.get(name, "empty") if kind.optional else None)
    else:
        _text(name, issues)
        return
    if own := drafts.own_values(draft(), name):
        st.caption(summary.own_values(own))
    _problems(name, issues)


def _hold_for_all(name: str) -> None:
    """Callback of a field: its new value holds for all rows, so no row keeps its own."""
    st.session_state[key("variants")] = rows.for_all(st.session_state[key("variants")], name)


def _with_typed(name: str, choices: Sequence[str]) -> list[str]:
    """The offered choices, and what was typed instead of them, so that it stays in the list."""
    typed = st.session_state[key(name)]
    return list(dict.fromkeys([*choices, *([typed] if typed else [])]))


def _text(name: str, issues: Sequence[Issue], placeholder: str | None = None) -> None:
    st.text_input(drafts.label(name), key=key(name), help=_help(name), placeholder=placeholder, persist_state=_KEEP,
                  max_chars=2000)
    _problems(name, issues)


def _problems(name: str, issues: Sequence[Issue]) -> None:
    messages = [issue.message for issue in issues if issue.field == name]
    for message in messages[:MOST_PROBLEMS]:
        st.markdown(f":red[:material/error: {captions.literal(message)}]")
    if len(messages) > MOST_PROBLEMS:
        st.markdown(f":red[There are {len(messages) - MOST_PROBLEMS:,} more here.]")


def _help(name: str) -> str:
    return str(Experiment.model_fields[name].description)

