"""The bundled demo: a small English language, tasks in it, and the T5 that was trained on it."""
