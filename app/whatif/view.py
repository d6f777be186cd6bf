"""The What-if page's view: a run, the part of the page, and what an edit of the run does."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app.show import captions, weights
from app.ui import components, services
from app.ui import controls as panels
from app.ui.names import TASK
from app.whatif import bench, controls, effects, flips, link, saved, seeds
from app.whatif.ablation import view as ablation
from app.whatif.names import PART
from compt_core.analysis.answers import scored_rows, stored_predictions
from compt_core.backbone.load import find_backbone
from compt_core.errors import ComptError, ConfigError, DataError
from compt_core.methods.table import METHODS, structure
from compt_core.runs.record import ExperimentRecord, RunRecord
from compt_core.whatif.edit import Edit
from compt_core.whatif.inside import edited
from compt_core.whatif.trained import Trained, taken_apart

if TYPE_CHECKING:
    from compt_core.whatif.apply import Edited

EDIT, SENTENCE, ABLATION = "edit", "sentence", "ablation"
_warm, _warming = set[str](), threading.Lock()  # experiments whose backbone and dev rows are loaded or being loaded
PARTS = {EDIT: "Change the run", SENTENCE: "One sentence", ABLATION: "Mute every source"}


def view(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> None:
    """Everything on the page for the completed runs (not empty) of an experiment."""
    run = components.run_picker(sorted(runs, key=lambda one: not METHODS[one.method].composed))
    part = panels.choice(PART, "What to look at", [EDIT, SENTENCE, ABLATION],
                         "Change attention, gates and prompts; try one sentence; or mute each source in turn.",
                         names=PARTS)
    trained = taken_apart(run, services.store().prompts(run.id))
    edit = link.opened(trained)
    _warm_up(run)
    if part == EDIT:
        _edited(run, runs, trained, edit)
    elif part == SENTENCE:
        controls.changes(edit)
        bench.view(experiment, runs, run, effects.prompts(run, edit).get if edit else None)
    elif part == ABLATION:
        ablation.view(runs, run)


def _edited(run: RunRecord, runs: Sequence[RunRecord], trained: Trained, edit: Edit) -> None:
    halves = st.grid(2, min_column_width=460, gap="large")
    with halves.cell():
        st.header("Change", anchor=False)
        where = controls.scope(trained)
        controls.show(run.method, trained, edit, where, _alike(run, runs))
    with halves.cell():
        st.header("What it does", anchor=False)
        controls.changes(edit)
        found: Mapping[str, Edited] = {}
        try:
            found = effects.of_edit(run, edit) if edit else {}
        except (ConfigError, DataError) as error:  # controls and saved edits stay in sight
            st.error(captions.literal(error), icon=":material/error:")
        if found:
            changed = _effects(run, edit, found)
        elif not edit:
            _as_trained(run)
    if found:
        _flipped(run, changed, found)
        _inside(run, trained, edit)
        seeds.view(run, weights.seeds_of(run, runs), edit)
    saved.shelf(runs)


def _as_trained(run: RunRecord) -> None:
    result = run.result or {}
    tasks = weights.by_family(run.config["tasks"], run.tasks)
    primary = run.tasks.primary(result["tasks"])
    frame = pd.DataFrame([{"task": task, "metric": primary[task],
                           "score": 100 * (result["tasks"][task][primary[task]] or 0.0)} for task in tasks])
    st.markdown(f"Mean over {captions.plural(len(tasks), 'task')}: **{100 * result['mean']:.1f}**. Move a control to "
                "see here at once how the dev scores change, and which sentences get another answer.")
    st.dataframe(frame, hide_index=True, height="content", alt="The run's dev scores as trained", column_config={
        "score": st.column_config.ProgressColumn("score as trained", format="%.1f", min_value=0, max_value=100)})


def _effects(run: RunRecord, edit: Edit, found: Mapping[str, Edited]) -> pd.DataFrame:
    changes = [one.change for one in found.values()]
    changed = effects.table(changes, weights.by_family(run.config["tasks"], run.tasks))
    lines = effects.sentences(changed, changes, sum(len(one.predicted) for one in found.values()))
    st.altair_chart(effects.figure(changed), width="stretch", key="effects", alt=captions.plain(lines))
    components.findings(lines, [effects.note(changed, run.tasks)])
    saved.bar(run, edit, changed, changes)
    return changed


def _flipped(run: RunRecord, changed: pd.DataFrame, found: Mapping[str, Edited]) -> None:
    names = list(changed.sort_values("flipped", ascending=False, kind="stable")["task"])
    counts = dict(zip(changed["task"], changed["flipped"], strict=True))
    if not any(counts.values()):
        return
    st.header("Sentences whose answer changed", anchor=False)
    chosen = st.session_state.get(TASK)
    start = names.index(chosen) if chosen in names else 0
    task = st.selectbox("Of task", names, index=start, key=f"flips-of-{chosen}",
                        format_func=lambda name: f"{name} ({counts[name]:,})")
    one = found[task]
    before = stored_predictions(run, run.tasks.needed(task), services.store().scores(run.id)[task])
    try:
        rows = scored_rows(run, task)
    except DataError as error:  # the scores of the edit are remembered, the rows are gone since
        st.info(captions.literal(f"The sentences of '{task}' cannot be shown: {error}"), icon=":material/info:")
        return
    table = flips.table(run.tasks[task], rows, one.change, before, one.predicted)
    if table.empty:
        st.markdown("No answer on the dev rows of this task changed.")
        return
    st.dataframe(table, hide_index=True, placeholder="",
                 alt=f"{captions.plural(counts[task], 'dev row')} of {task} with a changed answer")
    if counts[task] > len(table):
        st.caption(f"Showing the first {len(table)} of {counts[task]:,}.")


def _inside(run: RunRecord, trained: Trained, edit: Edit) -> None:
    """The attention that enters the edited prompts, in a box that opens on demand."""
    if trained.weights is None:
        return
    box = st.expander("Attention after the edit", icon=":material/hub:", key="inside", on_change="rerun")
    if not box.open:
        return
    with box:
        inside = edited(trained, edit).weights
        assert inside is not None
        drawn = weights.single(run, inside)
        frame = weights.frame(drawn, weights.grouped(drawn))
        moved = [task for k, task in enumerate(trained.tasks) if not np.array_equal(inside[k], trained.weights[k])]
        said = f"Tasks whose weights changed: {captions.listed([captions.literal(task) for task in moved])}."
        panels.heatmap(frame, "weight", captions.plain([said]), "inside", "weight")
        st.markdown(said)


def _alike(run: RunRecord, runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The other runs whose prompts are as long as this run's."""
    length = structure(run.settings).length
    return [one for one in runs if one.id != run.id
            and structure(one.settings).length == length]


def _warm_up(run: RunRecord) -> None:
    """Loads the backbone and the dev rows in a thread while the visitor reads, so that the first edit need not wait."""
    with _warming:
        if run.experiment in _warm:
            return
        _warm.add(run.experiment)

    def load() -> None:
        with contextlib.suppress(ComptError):  # the first edit reports it
            find_backbone(run.config["backbone"], fetch=False)  # just looking at the page must not download a model
            from compt_core.whatif.apply import backbone_of, dev_rows

            backbone = backbone_of(run)
            for task in run.config["tasks"]:
                dev_rows(run, task, backbone)

    threading.Thread(target=load, name="compt-whatif", daemon=True).start()
