"""The page Studies: what each asks, a click that launches it, how far it is, and what came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from app.show import captions, charts, exports, progress
from app.studies import figures
from app.studies.names import ONE, STUDY
from app.ui import actions, components, services, state
from compt_core.errors import ComptError, StoreError, nearest, quoted
from compt_core.runs.record import ExperimentRecord, State
from compt_core.studies import launch
from compt_core.studies.bundled import Bundled, bundled
from compt_core.studies.launch import Launched
from compt_core.studies.study import Figure, Reading, Study
from compt_core.studies.table import known

_MOVING = {State.QUEUED, State.RUNNING}
_SENTENCES = 4  # of a reading that are not folded
BUNDLED = "bundled"  # in the address, in place of a launch
_LINES = {True: "A first look", False: "In full"}


def view(downloads: Callable[[ExperimentRecord], None]) -> None:
    """One study, chosen by the address or above it; `downloads` are the buttons of an experiment for that."""
    studies = known()
    name = _study(list(studies))
    st.session_state["studies.name"] = name
    st.segmented_control("Study", list(studies), key="studies.name", required=True, wrap=True, on_change=_go,
                         args=(STUDY, "studies.name"), format_func=lambda one: studies[one].title,
                         label_visibility="collapsed")
    study = studies[name]
    st.header(study.question, anchor=False)
    st.markdown(study.method)
    _buttons(study)
    found, kept = launch.launched(services.store(), name), bundled(study)
    if not found and kept is None:
        st.info("Nothing of this study was trained here yet. “A first look” takes a few minutes on two cores.",
                icon=":material/science:")
    elif one := _chosen(found, kept):
        _launched(study, one, downloads)
    elif kept:
        _bundled(study, kept)
    _cannot(study)


def _study(names: list[str]) -> str:
    """The study in the address, else the first; a wrong one is said."""
    wanted = str(st.query_params.get(STUDY, names[0]))
    if wanted not in names:
        st.warning(captions.literal(f"This link names the study {quoted(wanted, 60)}, which there is not. You see "
                                    f"{quoted(names[0])}.{nearest(wanted, names)}"), icon=":material/link_off:")
        wanted = names[0]
    st.query_params[STUDY] = wanted
    return wanted


def _buttons(study: Study) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        for quick, label in _LINES.items():
            settings = study.quick if quick else study.start
            st.button(label, key=f"launch_{quick}", type="primary" if quick else "secondary", on_click=_launch,
                      args=(study, quick), icon=":material/rocket_launch:",
                      help="Trains with " + ", ".join(f"{key}: {value}" for key, value in settings.items()
                                                      if key != "watch_rows") + ".")
        st.caption("In a terminal, with tasks, backbone and seeds of your own: "
                   f"`python -m compt_core study {study.name}`")


def _launch(study: Study, quick: bool) -> None:
    """Callback: checks the settings, queues the parts, and shows the new launch."""
    try:
        with st.spinner("Checking the settings …"):
            checks = launch.planned(study, {}, quick=quick)
            launch.submit(services.store(), checks, services.owner())
    except ComptError as error:
        state.complain(error)
        return
    services.ensure_worker()
    st.query_params.pop(ONE, None)


def _chosen(found: list[Launched], kept: Bundled | None) -> Launched | None:
    """The launch in the address, else the newest; None for what is bundled."""
    by_name = {one.instance: one for one in found}
    names = [*by_name, *([BUNDLED] if kept else [])]
    wanted = str(st.query_params.get(ONE, ""))
    if wanted and wanted not in names:
        st.warning("This link names a launch of the study that is not in this store. You see "
                   f"{'the newest one' if found else 'what is bundled'}.", icon=":material/link_off:")
    chosen = wanted if wanted in names else names[0]
    if len(names) > 1:
        st.session_state["studies.one"] = chosen
        st.selectbox("Launch", names, key="studies.one", on_change=_go, args=(ONE, "studies.one"),
                     format_func=lambda one: _line(by_name[one]) if one in by_name else "Bundled with ComPT Lab")
    st.query_params[ONE] = chosen
    return by_name.get(chosen)


def _bundled(study: Study, kept: Bundled) -> None:
    """What comes with the project, and how it was made."""
    about = kept.settings
    _reading(study, kept.reading, f"{_about(about, len(about['seeds']))} {captions.plural(kept.runs, 'run')}, trained "
                                  f"in {kept.minutes:.0f} minutes on {kept.where}. It comes with ComPT Lab; "
                                  f"`{kept.command}` makes it again.")


def _go(name: str, key: str) -> None:
    """Callback: what was chosen goes into the address; another study has other launches."""
    st.query_params[name] = st.session_state[key]
    if name == STUDY:
        st.query_params.pop(ONE, None)


def _line(one: Launched) -> str:
    first = next(iter(one.experiments.values()))
    runs = sum(sum(record.states.values()) for record in one.experiments.values())
    return f"{progress.ago(first.created, time.time())}: {captions.plural(runs, 'run')}, {first.config['backbone']}"


def _launched(study: Study, one: Launched, downloads: Callable[[ExperimentRecord], None]) -> None:
    ids = {part: record.id for part, record in one.experiments.items()}
    runs = [run for identity in ids.values() for run in services.live_runs(identity)]
    moving = any(run.state in _MOVING for run in runs)
    if moving:
        st.fragment(_standing, run_every=services.refresh_seconds())(one, ids, True)
    else:
        _standing(one, ids, False)
    try:
        reading = launch.read(services.store(), study, ids)
    except StoreError as error:
        st.warning(captions.literal(str(error)), icon=":material/error:")
        return
    if reading is None:
        st.markdown("The reading appears as soon as every part has completed runs.")
    elif moving:
        st.markdown("**So far**, from the runs that are completed:")
    if reading is not None:
        _reading(study, reading, _about(runs[0].config, len({run.seed for run in runs})))
        downloads(next(iter(one.experiments.values())))


def _standing(one: Launched, ids: Mapping[str, str], was_moving: bool) -> None:
    """How far the runs are, and links to them; refreshes itself while any moves."""
    counts = dict[str, int]()
    for identity in ids.values():
        for run in services.live_runs(identity):
            counts[run.state.value] = counts.get(run.state.value, 0) + 1
    total, done = sum(counts.values()), counts.get("completed", 0)
    if was_moving and not {"queued", "running"} & counts.keys():
        st.rerun()
    said = ", ".join(f"{count} {what}" for what, count in counts.items())
    with st.container(horizontal=True, vertical_alignment="center"):
        if was_moving:
            st.progress(done / total if total else 0.0, text=f"{captions.plural(total, 'run')}: {said}",
                        width="stretch")
        else:
            st.caption(f"{captions.plural(total, 'run')}: {said}.")
        for part, identity in ids.items():
            st.page_link(components.page("runs"), label=f"Runs of “{part}”" if len(ids) > 1 else "Its runs",
                         icon=":material/monitoring:", query_params={state.EXPERIMENT: identity})
        actions.together(next(iter(one.experiments.values())).owner,
                         [run for identity in ids.values() for run in services.live_runs(identity)])


def _about(settings: Mapping[str, Any], seeds: int) -> str:
    return captions.literal(f"Backbone {settings['backbone']}, {captions.plural(seeds, 'seed')}, tasks "
                            f"{', '.join(settings['tasks'])}.")


def _reading(study: Study, reading: Reading, about: str) -> None:
    """The first sentences beside the first figure; the rest folded under them."""
    first, *more = reading.figures
    halves = st.grid(2, min_column_width=460, gap="medium")
    with halves.container():
        st.subheader("What came out", anchor=False)
        _list(reading.sentences[:_SENTENCES])
        if rest := reading.sentences[_SENTENCES:]:
            with st.expander(f"{captions.plural(len(rest), 'more sentence')}"):
                _list(rest)
        st.caption(about)
    with halves.container():
        _figure(study, first)
    for figure in more:
        with st.expander(captions.literal(figure.title), icon=":material/bar_chart:", expanded=len(more) == 1):
            _figure(study, figure)


def _list(sentences: Sequence[str]) -> None:
    st.markdown("\n".join(f"- {captions.literal(sentence)}" for sentence in sentences))


def _figure(study: Study, figure: Figure) -> None:
    with st.container(border=True):
        st.markdown(f"**{captions.literal(figure.title)}**")
        st.plotly_chart(figures.draw(figure), width="stretch", key=f"figure-{figure.name}",
                        config=charts.PLOTLY_CONFIG, alt=captions.plain([figure.reading]))
        st.caption(captions.literal(figure.reading))
        st.download_button("CSV", exports.table(figures.frame(figure)), f"{study.name}-{figure.name}.csv", "text/csv",
                           icon=":material/download:", key=f"csv-{figure.name}", on_click="ignore")


def _cannot(study: Study) -> None:
    with st.expander("What this study cannot say", icon=":material/help:"):
        st.markdown("\n".join(f"- {captions.literal(sentence)}" for sentence in study.cannot))
