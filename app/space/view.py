"""The Prompt space page's view: which prompts, their cosines, norms, map, paths over training and nearest pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app.show import captions, charts, exports
from app.space import alike, imported, journeys, maps, nearby
from app.space.alike import SECOND, Compared
from app.space.maps import Point
from app.space.names import BY, GROUPS, MAP, NEAR, PERPLEXITY, POINTS, PROMPT
from app.ui import components, controls, services, state
from app.ui.names import TASK, WITH
from compt_core.analysis import projections
from compt_core.analysis.projections import Map
from compt_core.composition import geometry
from compt_core.composition.geometry import COMPOSED, PRIVATE, Prompt
from compt_core.methods.table import METHODS
from compt_core.runs.record import RunRecord
from compt_core.tasks.catalogue import Catalogue

NONE, WHOLE, MEAN = "none", "whole", "mean"
PCA, TSNE, PROMPTS, VECTORS = "pca", "tsne", "prompts", "vectors"
MOST_VECTORS = 2000  # points of a PCA
Files = dict[str, bytes]  # name -> the CSV of something on the page


def view(runs: Sequence[RunRecord]) -> None:
    """Everything on the page for completed runs (not empty)."""
    run = components.run_picker(runs)
    own = _prompts(run)
    if not own:
        st.markdown("This run kept no prompts, so there is nothing to show here.")
        return
    if lacks := METHODS[run.method].lacks:
        st.caption(lacks)
    hidden = own[0].vectors.shape[1]
    second, foreign = _second(run, runs, hidden), imported.chosen(run, hidden)
    imported.box(hidden, len(foreign))
    shown, asked_whole = _chosen([*own, *second, *foreign], run.tasks)
    files: Files = {}
    _similarity(shown, asked_whole, files)
    vocabulary = nearby.of_run(run)
    _norms(shown, vocabulary, files)
    _map(shown, files)
    _training(run, own, [one.group for one in shown.prompts], vocabulary, files)
    _nearest([*own, *second, *foreign], vocabulary, files)
    _numbers(shown, files, run.id)


def _prompts(run: RunRecord) -> list[Prompt]:
    return geometry.prompts_of(services.store().prompts(run.id), run.config["tasks"],
                               repeats=METHODS[run.method].repeats)


def _second(run: RunRecord, runs: Sequence[RunRecord], hidden: int) -> list[Prompt]:
    """The prompts of another run of the experiment, if one is chosen."""
    lines = {one.id: captions.run_line(one) for one in runs if one.id != run.id}
    if not lines:
        return []
    other = state.open_choice(WITH, [NONE, *lines, run.id])
    other = NONE if other == run.id else other
    st.session_state[WITH] = other
    st.selectbox("Second run", [NONE, *lines], key=WITH, on_change=state.go_to_choice, args=(WITH, NONE),
                 format_func=lambda name: lines.get(name, "none"),
                 help="Any completed run of this experiment. Its prompts join the figures, with hollow markers.")
    second = next((one for one in runs if one.id == other), None)
    found = [Prompt(f"{SECOND} {one.group}", one.owner, one.vectors) for one in (_prompts(second) if second else [])]
    return [one for one in found if one.vectors.shape[1] == hidden]


def _chosen(everything: Sequence[Prompt], tasks: Catalogue) -> tuple[Compared, bool]:
    """The prompts chosen with the page's controls, and whether to compare them whole."""
    with st.container(horizontal=True):
        groups = controls.several(GROUPS, "Prompts", list(dict.fromkeys(one.group for one in everything)),
                                "Sources are shared, a private prompt belongs to one task, and the backbone reads the "
                                "composed prompts.")
        by = controls.choice(BY, "Compare", [WHOLE, MEAN],
                           "Whole prompts are compared number by number, so they must have the same length. The mean "
                           "of a prompt's vectors can always be compared, but ignores their order.",
                           names={WHOLE: "whole prompts", MEAN: "mean vectors"})
    chosen = [one for one in everything if one.group in groups]
    return alike.compare(chosen, by == WHOLE, tasks), by == WHOLE


def _similarity(shown: Compared, asked_whole: bool, files: Files) -> None:
    st.header("How alike they are", anchor=False)
    lines = alike.sentences(shown)
    if len(shown.prompts) > 1:
        st.plotly_chart(maps.similarity(shown.prompts, shown.cosines), width="stretch", key="similarity",
                        config=charts.PLOTLY_CONFIG, alt=captions.plain(lines))
        files["cosines"] = exports.csv(_long(shown), "prompt")
    many = "Columns have the same order as rows. Point at a cell to see its number."
    components.findings(lines, [*([many] if len(shown.prompts) > maps.MOST_NUMBERS else []),
                                alike.how(shown, asked_whole), alike.level(shown)])


def _long(shown: Compared) -> pd.DataFrame:
    return pd.DataFrame([{"row": one, "column": other, "value": float(value)}
                         for one, line in zip(shown.names, shown.cosines, strict=True)
                         for other, value in zip(shown.names, line, strict=True)])


def _norms(shown: Compared, vocabulary: nearby.Vocabulary, files: Files) -> None:
    st.header("How large they are", anchor=False)
    table = alike.sizes(shown.prompts)
    lines = alike.size_sentences(table, vocabulary.norms)
    if (table["norm"] > 0).any():
        st.altair_chart(maps.norms(table, vocabulary.norms), width="stretch", key="norms", alt=captions.plain(lines))
    notes = ["A marker is the root mean square over a prompt's vectors. Its line runs from the shortest vector to the "
             "longest. The axis is logarithmic, so that norms of 1 and of 700 can both be read."]
    if vocabulary.norms:
        notes.append("The grey band covers 5% to 95% of the vocabulary's embeddings; the dashed line is their median.")
    components.findings(lines, notes)
    files["norms"] = exports.table(table)


def _map(shown: Compared, files: Files) -> None:
    st.header("A map of them", anchor=False)
    with st.container(horizontal=True):
        kind = controls.choice(MAP, "Map", [PCA, TSNE], "PCA shows the two directions in which the points differ "
                             "most. t-SNE keeps neighbours together; its distances and axes mean little.",
                             names={PCA: "PCA", TSNE: "t-SNE"})
        of = controls.choice(POINTS, "A point is", [PROMPTS, VECTORS] if len(shown.prompts) > 2 else [VECTORS],
                           "Draw each prompt as it is compared above, or each of its vectors.",
                           names={PROMPTS: "a prompt", VECTORS: "a vector"}, shown=len(shown.prompts) > 2)
    points = [Point(one) for one in shown.prompts] if of == PROMPTS else \
        [Point(one, i + 1) for one in shown.prompts for i in range(len(one.vectors))]
    values = shown.values if of == PROMPTS else np.concatenate([one.vectors for one in shown.prompts])
    kept = projections.thinned(len(points), projections.MOST_POINTS if kind == TSNE else MOST_VECTORS)
    drawn, perplexity = [points[i] for i in kept], None
    if kind == TSNE:
        allowed = projections.perplexities(len(kept))
        if not allowed:
            st.info(f"t-SNE needs at least 7 points. Got {len(kept)} instead; choose PCA, vectors, or more groups.")
            return
        perplexity = int(controls.slider(PERPLEXITY, "Perplexity", [str(one) for one in allowed],
                                       "Roughly how many neighbours each point keeps. Different values give different "
                                       "pictures."))
    elif len(kept) < 2:
        st.markdown("There is only one point, which makes no map.")
        return
    found = _laid_out(values[kept], perplexity)
    lines = _map_sentences(shown, found, len(kept), len(points), perplexity)
    truth = shown.related(list({one.owner for one in shown.prompts if one.group.endswith((PRIVATE, COMPOSED))}))
    figure = maps.scatter(found, drawn, None if truth is None else shown.tasks)
    st.plotly_chart(figure, width="stretch", key="points_map", config=charts.PLOTLY_CONFIG,
                    alt=captions.plain(lines))
    components.findings(lines, ["Everything is scaled to norm 1, so the map shows only directions. Markers stand for "
                                "groups" + (", colours for families." if truth is not None else ".")])
    files["map"] = exports.table(pd.DataFrame({
        "name": [one.name for one in drawn], "group": [one.prompt.group for one in drawn],
        "x": found.points[:, 0], "y": found.points[:, 1]}))


def _map_sentences(shown: Compared, found: Map, drawn: int, points: int, perplexity: int | None) -> list[str]:
    if found.explained is None:
        lines = ["This map shows which points are near each other; its distances and axes mean nothing. It is the "
                 f"t-SNE of {captions.plural(drawn, 'point')} with perplexity {perplexity}, started from their PCA "
                 "with a fixed seed."]
    else:
        lines = [f"The two components hold {100 * sum(found.explained):.0f}% of the variance of "
                 f"{captions.plural(drawn, 'direction')}; the map does not show any other differences."]
    if drawn < points:
        lines.append(f"{drawn:,} of {captions.plural(points, 'vector')} are drawn, evenly chosen.")
    for group in (PRIVATE, COMPOSED):
        at = shown.of(group)
        truth = shown.related([shown.prompts[i].owner for i in at])
        if truth is not None:
            near = shown.cosines[np.ix_(at, at)] - 9 * np.eye(len(at))
            hits = int(truth[np.arange(len(at)), near.argmax(1)].sum())
            chance = float((truth.sum(1) - 1).sum() / (len(at) - 1))
            have, their = ("has", "its") if hits == 1 else ("have", "their")
            lines.append(f"{hits} of {captions.plural(len(at), f'{group} prompt')} {have} {their} nearest neighbour "
                         f"(by cosine, not in the map) in {their} own family; by chance it would be about "
                         f"{chance:.1f}.")
    return lines


def _laid_out(values: np.ndarray, perplexity: int | None = None) -> Map:
    """The map of rows [N, D], computed once for the same rows: t-SNE if there is a perplexity, else PCA."""
    return Map(*_points(geometry.digest(values), perplexity, values))


@st.cache_data(max_entries=64, show_spinner="Laying out the map …")
def _points(digest: str, perplexity: int | None, _values: np.ndarray) -> tuple[np.ndarray, tuple[float, float] | None]:
    found = projections.pca(_values) if perplexity is None else projections.tsne(_values, perplexity)
    return found.points, found.explained


def _training(run: RunRecord, own: Sequence[Prompt], groups: Sequence[str], vocabulary: nearby.Vocabulary,
              files: Files) -> None:
    st.header("How they changed in training", anchor=False)
    notes = list[str]()
    way = journeys.journey(*services.store().events(run.id, "prompts", notes=notes), own, groups)
    services.left_out(notes)
    if way is None:
        st.markdown("No prompts were kept while this run trained, as for all runs that come with the project. The "
                    "figures above show the final prompts." if set(groups) & {one.group for one in own} else
                    "Choose a group of this run's own prompts above to see how they moved in training.")
        return
    owners = list(dict.fromkeys(one.owner for one in way.prompts))
    chosen = state.open_choice(TASK, [NONE, *run.config["tasks"], *(o for o in owners if o not in
                                                                        run.config["tasks"])])
    chosen = chosen if chosen in owners else NONE
    st.session_state[TASK] = chosen
    st.selectbox("Highlight", [NONE, *owners], key=TASK, on_change=state.go_to_choice, args=(TASK, NONE),
                 format_func=lambda name: "all" if name == NONE else name, help="One task's prompts, or one source.")
    word = vocabulary.norms[1] if vocabulary.norms else None
    lines, (course, explained) = journeys.sentences(way, word), journeys.mapped(way, _laid_out)
    st.plotly_chart(maps.paths(course, explained, way.prompts, way.steps, None if chosen == NONE else chosen),
                    width="stretch", key="paths", config=charts.PLOTLY_CONFIG, alt=captions.plain(lines))
    turns, sizes = journeys.by_group(way, journeys.turned(way)), journeys.by_group(way, way.norms)
    halves = st.grid(2, min_column_width=420, gap="medium")
    grown = f"norm of {'a vector' if way.whole else 'the mean vector'} (log)"
    for name, table, title, log in (("turned", turns, "cosine with their end", False), ("grown", sizes, grown, True)):
        with halves.cell():
            st.altair_chart(maps.over_training(table[table["low"] > 0] if log else table, title, log), width="stretch",
                            key=name, alt=f"{title}, median over the prompts of a group. {captions.plain(lines)}")
    rough = way.directions.shape[2] == geometry.SKETCH
    components.findings(lines, [
        f"There are {captions.plural(len(way.steps), 'snapshot')}; a small ring marks the first."
        + ("" if way.whole else " They show mean vectors, because this run's prompts differ in length."),
        *([f"A random projection keeps {geometry.SKETCH} numbers of each direction, so distances are right to about "
           "4%, cosines to about ±.06."] if rough else [])])
    files["training"] = exports.table(pd.DataFrame([
        {"name": one.name, "step": step, "x": float(course[n, i, 0]), "y": float(course[n, i, 1]),
         "norm": float(way.norms[n, i])}
        for n, step in enumerate(way.steps) for i, one in enumerate(way.prompts)]))


def _nearest(everything: Sequence[Prompt], vocabulary: nearby.Vocabulary, files: Files) -> None:
    st.header("Nearest pieces of the vocabulary", anchor=False)
    if vocabulary.files is None:
        st.markdown(captions.literal(vocabulary.problem))
        return
    first = [*(one for one in everything if one.group == COMPOSED), *everything]  # what the backbone reads comes first
    named: Mapping[str, Prompt] = {one.name: one for one in first}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        prompt = named[controls.pick(PROMPT, "Prompt", list(named), "The prompt whose vectors are looked up.")]
        measure = controls.choice(NEAR, "Nearest by", list(nearby.MEASURES), nearby.HELP, names=nearby.MEASURES)
    if prompt.vectors.shape[1] != vocabulary.files.hidden:
        st.markdown(f"The backbone's embeddings have H = {vocabulary.files.hidden:,}, this run's prompts H = "
                    f"{prompt.vectors.shape[1]:,}, so they cannot be compared.")
        return
    near, names = nearby.found(vocabulary.files, prompt, measure)
    lines = nearby.sentences(prompt, near, names, measure)
    st.dataframe(nearby.table(prompt, near, names), hide_index=True, alt=captions.plain(lines), column_config={
        "vector": st.column_config.NumberColumn("Vector", pinned=True, width="small"),
        "norm": st.column_config.NumberColumn("Norm", format="%.4g", width="small")})
    spaced = any("▁" in name for row in names for name in row)
    components.findings(lines, [nearby.NOTE, *([nearby.SPACED] if spaced else [])])
    files["pieces"] = exports.table(nearby.numbers(prompt, near, names, measure))


def _numbers(shown: Compared, files: Files, run: str) -> None:
    """The figures of the page as files, and its cosines as a table."""
    box = st.expander("The numbers as a table or CSV", icon=":material/table:", key="numbers", on_change="rerun")
    if not box.open:
        return
    with box:
        with st.container(horizontal=True):
            for name, data in files.items():
                st.download_button(f"CSV: {name}", data, f"prompts-{run}-{name}.csv", "text/csv",
                                   icon=":material/download:", key=f"csv-{name}", on_click="ignore",
                                   help="Every number, with all digits.")
        table = pd.DataFrame(shown.cosines, columns=shown.names)
        table.insert(0, "prompt", shown.names)
        st.dataframe(table, hide_index=True, alt="The cosine of every pair of prompts", column_config={
            name: st.column_config.NumberColumn(format="%.3f") for name in shown.names})
