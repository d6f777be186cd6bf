"""The sentence bench: one text under all prompts of an experiment, its edits, its words, its nearest training rows."""

from app.whatif.bench.board import view as view
