"""The store of the home folder, for who only looks: looking makes none. Loads no torch."""

from __future__ import annotations

from compt_core.errors import StoreError
from compt_core.runs.home import home_folder
from compt_core.runs.store import Store


def has_store() -> bool:
    """Whether anything was ever kept in the home folder."""
    return (home_folder() / "compt.db").is_file()


def existing_store() -> Store:
    """The store of the home folder. Raises StoreError where there is none yet."""
    if not has_store():
        raise StoreError(f"There are no runs yet in '{home_folder()}'. Start some with 'python -m compt_core run', "
                         "or set COMPT_HOME to the folder that has them.")
    return Store()
