"""``python -m compt_core whatif RUN --edit TEXT``: an edit of a finished run in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from compt_core.cli.output import writable, write_file
from compt_core.cli.terminal import console, say
from compt_core.runs.existing import existing_store
from compt_core.whatif.change import Change, mean_difference, points
from compt_core.whatif.document import document
from compt_core.whatif.edit import read, write
from compt_core.whatif.trained import taken_apart


def whatif(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a completed run.")],
    edit: Annotated[str, typer.Option(metavar="TEXT", help="Changes separated by semicolons, such as "
                                      "'mute=s2;alpha:TASK=0'; copy them from the address of the What-if page.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the scores as JSON.")] = None,
) -> None:
    """Change what a finished run learned, score it on its dev rows, and compare that with the run as trained."""
    store = existing_store(say)
    run = store.run(run_id)
    chosen = read(edit, taken_apart(run, store.prompts(run.id)))
    target = None if json_file is None else writable(json_file, "--json")
    from compt_core.whatif.apply import apply, prompts_of  # loads torch, so only once the edit is known to be valid

    trained = dict(zip(run.config["tasks"], store.prompts(run.id)["composed"], strict=True))
    prompts = prompts_of(store, run, write(chosen))
    changes = [one.change for _, one in apply(run, store.scores(run.id), trained, prompts)]
    console().print(_table(changes))
    if target is not None:
        write_file(target, document(run, chosen, changes))


def _table(changes: Sequence[Change]) -> Table:
    """Points per task: as trained, edited, the change with its interval over dev rows, and how many answers changed."""
    table = Table(title="Dev scores x 100, with 95% intervals over the dev rows of this one run")
    for name in ("task", "metric", "trained", "edited", "change", "95% interval", "answers changed"):
        table.add_column(name, justify="left" if name in ("task", "metric") else "right")
    for one in changes:
        interval = "" if one.low is None or one.high is None else f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
        table.add_row(one.task, one.metric, points(one.before), points(one.after), f"{100 * one.difference:+.1f}",
                      interval if one.flipped else "", f"{len(one.flipped):,}")
    before = sum(one.before or 0.0 for one in changes) / len(changes)
    gap = mean_difference(changes)
    table.add_section()
    table.add_row("mean", "", points(before), points(before + gap), f"{100 * gap:+.1f}", "",
                  f"{sum(len(one.flipped) for one in changes):,}")
    return table
