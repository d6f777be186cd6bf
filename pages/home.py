"""Home: what ComPT is in one picture, the demo in one click, the latest experiments."""

import streamlit as st

from app.home import view
from app.ui import components, services, state

components.header("ComPT Lab", "soft prompt", "backbone", "PT", "MST", "MPT", "ComPT", "source prompt",
                  "private prompt", "attention", "gates", "shots")
st.markdown("Pick tasks and shots, train **PT**, **MST** and **ComPT** side by side on a frozen T5, "
            "and see what the composition learned.")

halves = st.grid(2, min_column_width=460, gap="medium", vertical_alignment="center")
with halves.cell():
    view.picture("A task's composed prompt joins two parts: a mix of shared source prompts, weighted by attention, "
                 "and the task's private prompt. Gates can weigh the two. A frozen T5 reads the prompt with the text.")
    st.caption("The setting 'form' says how the two parts are joined. A mean weighs them by the ratio of the gates. "
               "The demo's gated sum uses the gate alpha alone, and a plain sum uses no gate. SCP puts the private "
               "part after the shared one.")
with halves.cell():
    st.markdown(
        "A **soft prompt** is a handful of trained vectors that are put into the text; the language model stays "
        "frozen. With only a few examples per task, the question is what the tasks should share:\n"
        "- **PT** shares nothing: each task has its own prompt.\n"
        "- **MST** shares everything: one prompt for all tasks.\n"
        "- **ComPT** shares a part: each task uses **attention** to mix **source prompts** that all tasks share, and "
        "joins the mix with its own **private prompt**. **Gates** can weigh the two."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        run_demo = st.button("Run the demo", type="primary", icon=":material/play_arrow:", key="run_demo",
                             help="Trains PT, MST and both forms of ComPT on the bundled model and tasks.")
        st.page_link(components.page("launch"), label="Choose the settings", icon=":material/tune:")
        st.page_link(components.page("learn"), label="Take the tour", icon=":material/school:")
    st.caption("The demo queues one experiment and shows its progress. Scores, attention and gates follow.")
    components.no_worker_note()

queued = state.launched("demo", pressed=run_demo)
if run_demo:
    with st.spinner("Checking the bundled model and tasks …"):
        identity = state.once(queued, "demo", services.run_demo)  # a double click queues one
    st.switch_page(components.page("runs"), query_params={state.EXPERIMENT: identity})

view.latest_experiments(limit=6)
