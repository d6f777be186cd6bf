"""Named starting points: settings of an experiment by preset name. Everything else keeps its default.

`demo` compares all methods on the bundled suite, `demo-glue` walks through the paper's set-up on the bundled backbone;
`english` compares all methods on real text with a real T5; `glue` and `set2` are the author's own settings (arXiv
2408.13227); `first-1|2|3` are a newcomer's first three experiments.
"""

from typing import Any

DEMO_TASKS = [
    "demo-mood", "demo-opinion", "demo-feeling", "demo-attitude",
    "demo-reword", "demo-meaning", "demo-twin", "demo-echo",
    "demo-follows", "demo-proves", "demo-implies", "demo-entails",
]
DEMO_MORE_TASKS = [
    "demo-likes1", "demo-likes2", "demo-denied1", "demo-denied2", "demo-actor", "demo-worker1", "demo-worker2",
    "demo-object", "demo-animal1", "demo-animal2", "demo-inside1", "demo-inside2",
]
DEMO_GLUE_TASKS = ["demo-cola", "demo-sst2", "demo-mrpc", "demo-qqp", "demo-stsb", "demo-mnli", "demo-qnli", "demo-rte"]
GLUE_TASKS = ["cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte"]
ENGLISH_TASKS = ["sst2", "rotten_tomatoes", "cr", "ag_news", "qnli", "mnli", "rte", "qqp"]
SET2_TASKS = ["imdb", "yelp_polarity", "mrpc", "paws", "scitail", "multinli"]

# The settings of each method as benchmarks/tuning.py chose them on tuning seeds (docs/FINDINGS.md). Those of ComPT
# (SPP) hold for all methods; the other methods then override some.
_DEMO: dict[str, Any] = {
    "backbone": "demo", "sources": 4, "prompt_length": 10, "normalizer": "softmax", "form": "gated_sum", "steps": 200,
    "init_range": 1.0, "clip": 0.3, "lr_source": 0.037, "lr_private": 0.07, "lr_encoder": 0.018, "lr_attention": 0.39,
    "lr_gate": 0.086, "weight_decay_weights": 0.01,
    "method_settings": {
        "pt": {"prompt_length": 3, "init_range": 0.5, "lr_private": 0.32, "lr_encoder": 0.0075},
        "mst": {"init_range": 0.25, "lr_source": 0.12, "lr_encoder": 0.022},
        "scp": {"sources": 8, "normalizer": "entmax15", "gates": "off", "clip": 1.0, "lr_source": 0.015,
                "lr_private": 0.037, "lr_encoder": 0.016, "lr_attention": 0.29, "lr_gate": 0.14,
                "weight_decay_weights": 0.1},
    },
}
# Learns on a real T5 in minutes on two cores: tasks are asked as questions, and prompts begin about as large as the
# embeddings of words and move in steps of that size (benchmarks/english_tuning.py, docs/FINDINGS.md).
_ENGLISH: dict[str, Any] = {
    "backbone": "english", "data_dir": "english", "prefix": "question", "units": "table", "init_range": 0.75,
    "lr_source": 0.075, "lr_private": 0.075, "lr_attention": 0.3, "sources": 3, "normalizer": "softmax",
    "form": "gated_sum", "steps": 45, "batch": 16, "max_tokens": 128, "eval_rows": 300,
    "method_settings": {"mpt": {"lr_private": 0.06}},
}
_ALL_METHODS = ["pt", "mst", "spp", "scp"]

PRESETS: dict[str, dict[str, Any]] = {
    "demo": {**_DEMO, "tasks": DEMO_TASKS, "methods": _ALL_METHODS, "shots": [16], "batch": 36},
    "demo-glue": {**_DEMO, "tasks": DEMO_GLUE_TASKS, "methods": _ALL_METHODS, "shots": [32], "batch": 32},
    "english": {**_ENGLISH, "tasks": ENGLISH_TASKS, "methods": _ALL_METHODS, "shots": [16]},
    "glue": {
        "backbone": "google-t5/t5-base", "tasks": GLUE_TASKS, "sources": 2, "prompt_length": 5, "shots": [32],
        "epochs": 15, "batch": 16, "lr_source": 0.07, "lr_private": 0.01, "lr_attention": 0.1,
        "method_settings": {"pt": {"lr_private": 0.05}},
    },
    "set2": {
        "backbone": "google-t5/t5-base", "tasks": SET2_TASKS, "sources": 3, "prompt_length": 5, "shots": [48],
        "epochs": 15, "batch": 16, "lr_source": 0.05, "lr_private": 0.02, "lr_attention": 0.07, "lr_gate": 0.1,
        "method_settings": {"pt": {"lr_private": 0.05}},
    },
    "first-1": {**_DEMO, "tasks": DEMO_TASKS[:1], "methods": ["pt"], "shots": [8], "batch": 4},
    "first-2": {**_DEMO, "tasks": DEMO_TASKS[:4], "methods": ["mst", "pt"], "shots": [8], "batch": 16},
    "first-3": {**_DEMO, "tasks": [DEMO_TASKS[0], DEMO_TASKS[4]], "methods": ["spp"], "shots": [8], "batch": 8,
                "sources": 2},
}

TITLES: dict[str, str] = {  # for people; the names stay what files, links and the command line use
    "demo": "Demo: four methods on twelve small tasks",
    "demo-glue": "Demo: GLUE in miniature",
    "english": "Real English: four methods on eight tasks",
    "glue": "GLUE with the paper's settings",
    "set2": "SET2 with the paper's settings",
    "first-1": "1 · Prompt tuning on one task",
    "first-2": "2 · One prompt for all tasks, or one each",
    "first-3": "3 · Composed prompts of two tasks",
}
