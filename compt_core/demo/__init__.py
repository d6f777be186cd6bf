"""The bundled demo: a small English, tasks over it, and the T5 that was trained on it."""
