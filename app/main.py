"""Entry point: ``streamlit run app/main.py``, from any folder."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # Streamlit puts only app/ there
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from app import address  # noqa: E402
from app.show import captions  # noqa: E402
from app.ui import components, services, shared  # noqa: E402

st.set_page_config(page_title="ComPT Lab", page_icon=str(ROOT / "assets" / "icon.svg"), layout="wide")
PAGES = {
    "home": ("Home", "home", "What ComPT is, the one-click demo and the latest experiments."),
    "learn": ("Learn", "school", "A guided tour of the method. Every step has something to move."),
    "data": ("Data", "table_view", "Every task with examples as the model reads them, and tasks of your own."),
    "launch": ("Launch", "rocket_launch", "Choose tasks, shots and methods, check the settings and queue the runs."),
    "runs": ("Runs", "monitoring", "Queue, progress and training loss of an experiment. You can cancel it here."),
    "accuracy": ("Accuracy", "grid_on", "Scores of every row on every task, and differences between rows."),
    "attention": ("Attention", "hub", "How much of each shared source prompt every task uses."),
    "gates": ("Gates", "tune", "How much each task leans on its private prompt."),
    "studies": ("Studies", "science", "Questions that the paper leaves open, each launched by one click."),
    "whatif": ("What-if", "experiment", "Change what a run learned, and see what that does to its scores and answers."),
    "space": ("Prompt space", "scatter_plot", "Where source, private and composed prompts lie, and what is near them."),
}
chosen = st.navigation(
    [st.Page(components.page(name), title=title, icon=f":material/{icon}:", help=text, default=name == "home")
     for name, (title, icon, text) in PAGES.items()],
    position="top",
)
with components.guarded():
    services.ensure_worker()
    given = {name: st.query_params.get_all(name) for name in st.query_params}
    for problem in address.problems(chosen.url_path or "home", given):
        st.warning(captions.literal(problem), icon=":material/link_off:")
    chosen.run()
shared.warm_up()
shared.spare_collector()
