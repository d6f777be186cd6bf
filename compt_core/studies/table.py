"""The studies by name: the folders of this package that hold one. Loads no torch."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from compt_core import studies
from compt_core.errors import ConfigError, Issue, nearest, quoted
from compt_core.studies.study import Study

# Of lists; others follow.
_ORDER = ("forgetting", "relatedness", "scaling", "pretrained", "dissimilar", "shots", "ablations", "length", "tuning")


def known() -> dict[str, Study]:
    """Name -> study."""
    names = [one.name for one in pkgutil.iter_modules(studies.__path__) if one.ispkg]
    names.sort(key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    found = (getattr(import_module(f"{studies.__name__}.{name}"), "STUDY", None) for name in names)
    return {study.name: study for study in found if isinstance(study, Study)}


def named(name: str) -> Study:
    """The study with that name. Raises ConfigError."""
    found = known()
    if name not in found:
        raise ConfigError([Issue("study", f"The study must be one of {', '.join(map(repr, found))}. Got {quoted(name)} "
                                          f"instead.{nearest(name, found)}")])
    return found[name]
