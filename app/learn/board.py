"""The widgets of a step of the tour. Each value is kept in the URL, so that a link can set it even when hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

import streamlit as st

from app.learn.names import CONTROLS, PRESENT, STEP
from app.ui.state import EXPERIMENT, listed_briefly
from compt_core.errors import StoreError, quoted
from compt_core.settings.plain import number

_KEY = "tour_"  # prefix of the widgets' keys; other pages use other keys for the same names


@dataclass
class Board:
    """The board on which a step draws its widgets.

    shown   whether they are drawn; their values take effect in either case
    large   whether figures are for a classroom
    values  name in the URL -> value, for every widget so far
    """

    shown: bool = True
    large: bool = False
    values: dict[str, str] = field(default_factory=dict)

    def pick(self, name: str, label: str, options: Sequence[str], first: str, help_text: str,
             names: Mapping[str, str] | None = None) -> str:
        """One of the `options` (not empty), as pills side by side or, if there are many, a list."""
        chosen = self._read(name, options, first)
        if self._drawn(name, chosen, options):
            shown_as = (lambda option: names.get(option, option)) if names else str
            if len(options) > 5:
                st.selectbox(label, options, key=_KEY + name, format_func=shown_as, help=help_text,
                             on_change=_keep, args=(name, first))
            else:
                st.segmented_control(label, options, key=_KEY + name, format_func=shown_as, help=help_text,
                                     required=True, on_change=_keep, args=(name, first))
        return chosen

    def slide(self, name: str, label: str, options: Sequence[str], first: str, help_text: str) -> str:
        """One of the ordered `options` (not empty), on a slider."""
        chosen = self._read(name, options, first)
        if self._drawn(name, chosen, options):
            st.select_slider(label, options, key=_KEY + name, help=help_text, on_change=_keep, args=(name, first))
        return chosen

    def number(self, name: str, label: str, ends: tuple[float, float], step: float, first: float, help_text: str,
               shown_as: str = "%.2f", acts: bool = True) -> float:
        """A number in [low, high] = `ends`, in multiples of `step` from low, on a slider. There is no slider if the
        number has no effect at the moment (`acts`)."""
        low, high = ends
        chosen = _number(name, first, low, high)
        chosen = round(low + round((chosen - low) / step) * step, 6)
        self.values[name] = f"{chosen:g}"
        if self.shown and acts:
            st.session_state[_KEY + name] = chosen
            st.slider(label, low, high, step=step, key=_KEY + name, help=help_text, format=shown_as,
                      on_change=_keep, args=(name, f"{first:g}"))
        return chosen

    def _read(self, name: str, options: Sequence[str], first: str) -> str:
        chosen = word(name, options, first)
        self.values[name] = chosen
        return chosen

    def _drawn(self, name: str, chosen: str, options: Sequence[str]) -> bool:
        """Whether to draw a widget; what it shows comes from the URL, not from what it showed earlier."""
        if not self.shown or len(options) < 2:
            return False
        st.session_state[_KEY + name] = chosen
        return True


def word(name: str, options: Sequence[str], first: str) -> str:
    """The URL's value under ``?name=``, or `first` without one. Raises StoreError if it is not one of the options."""
    text = st.query_params.get(name)
    if text is None:
        return first
    if text not in options:
        raise StoreError(f"This link sets '{name}' to {quoted(text)}, which this step of the tour does not have. "
                         f"Choose from: {listed_briefly(options)}.")
    return text


def go(name: str, value: str | None) -> None:
    """Callback of a button: sets a value in the URL; None removes it."""
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value


def reset(*names: str) -> None:
    """Callback of a button: sets widgets back to their values without a link."""
    for name in names:
        st.query_params.pop(name, None)


def link(step: str, experiment: str | None, values: Mapping[str, str], controls: bool) -> str:
    """The address of a step in presenter mode, with every value of its widgets; without `controls` they stay hidden."""
    query = {STEP: step, PRESENT: "1", **({} if controls else {CONTROLS: "off"}), **values}
    if experiment:
        query[EXPERIMENT] = experiment
    return f"{st.context.url or 'learn'}?{urlencode(query)}"


def _number(name: str, first: float, low: float, high: float) -> float:
    text = st.query_params.get(name)
    if text is None:
        return first
    found = number(text)
    if found is None or not low <= found <= high:
        raise StoreError(f"This link sets '{name}' to {quoted(text)}. It must be a number from {low:g} to {high:g}.")
    return float(found)


def _keep(name: str, first: str) -> None:
    value = st.session_state[_KEY + name]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    go(name, None if text == first else text)
