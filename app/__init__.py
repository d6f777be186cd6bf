"""Streamlit skin over the core: reads the store, draws, submits. Loads no torch."""
