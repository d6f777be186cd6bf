"""Launch: choose, check, queue. Each problem is shown at its field."""

import time
from functools import partial

import streamlit as st

from app.launch import arrival, forms, measuring, summary
from app.ui import command, components, drafts, services, state
from compt_core.settings.config import to_yaml

components.header("Launch", "PT", "MST", "MPT", "ComPT", "SPP", "SCP", "shots", "seed", "backbone",
                  "source prompt", "private prompt", "attention", "normaliser", "gates", "optimizer step",
                  "dev rows", "fleet")
st.caption("Every combination of method or variant, shots and seed becomes one run on the same frozen backbone.")

forms.ready()
notes = arrival.receive()
experiment, issues = drafts.build(forms.draft())
checked = None
form_side, summary_side = st.columns([3, 2], gap="large")

with summary_side, st.container(border=True):
    st.header("Summary", anchor=False)
    st.markdown(summary.grid(experiment) if experiment else forms.to_correct(issues))
    if experiment:
        st.caption(summary.side_by_side(len(experiment.variants) * len(experiment.shots) * len(experiment.seeds)))
    with st.container(horizontal=True):
        check = st.button("Check", icon=":material/fact_check:", disabled=experiment is None, key="check",
                          help="Reads the data and the backbone, and counts steps and parameters. It queues nothing.")
        launch = st.button("Launch", icon=":material/rocket_launch:", type="primary", disabled=experiment is None,
                           key="launch", help="Checks everything, then puts the runs into the queue.")
    components.no_worker_note()
    queued = state.launched("launch", pressed=launch)
    if experiment and launch and (identity := queued.get(to_yaml(experiment))):  # the second click of a double click
        st.switch_page(components.page("runs"), query_params={state.EXPERIMENT: identity})
    if experiment and (check or launch or measuring.asked(to_yaml(experiment))):
        with st.spinner("Checking tasks, data and backbone …"):
            checked, issues = services.check(experiment)
        if checked is None:
            st.markdown(forms.to_correct(issues) + " Nothing was queued.")
        else:
            seconds, memory = services.estimate(checked)
            st.table(summary.check_rows(checked, seconds, memory, time.time()), border="horizontal",
                     alt="What this experiment will train, how long that takes and how much memory")
            if not launch:
                measuring.box(checked, to_yaml(experiment), seconds)
            else:
                identity = state.once(queued, to_yaml(experiment), partial(services.submit, checked))
                st.switch_page(components.page("runs"), query_params={state.EXPERIMENT: identity})
    for problem in forms.elsewhere(issues):
        st.error(problem)
    if experiment:
        st.markdown("**The same from the command line**")
        st.code(command.command_line(experiment), language="bash", wrap_lines=True)
        with st.expander("Settings as YAML", icon=":material/data_object:", key="yaml"):
            st.code(to_yaml(experiment), language="yaml")
            st.download_button("Download", to_yaml(experiment), drafts.SETTINGS_FILE, "application/yaml",
                               icon=":material/download:",
                               help="A settings file that the command line takes with --config.")
    st.markdown("**A link to these settings**", help="Opens this form as it is now, in any browser that can reach this "
                                                     "dashboard. Opening the link queues nothing.")
    st.code(arrival.permalink(forms.draft()), language=None, wrap_lines=True)

with form_side:
    issues = (*issues, *notes)
    forms.preset_picker()
    st.header("What to compare", anchor=False)
    forms.basics(issues, checked.notes if checked else ())
    st.header("Prompts", anchor=False)
    forms.fields(drafts.PROMPTS, issues)
    st.caption(forms.normalizer_note(forms.draft()))
    st.header("Training and scoring", anchor=False)
    forms.fields(drafts.BUDGET, issues)
    with forms.advanced_box(issues):
        forms.fields(drafts.ADVANCED, issues)
