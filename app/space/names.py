"""The names that the Prompt space page uses in its address."""

from __future__ import annotations

from app.ui.names import TASK, WITH
from app.ui.state import EXPERIMENT, RUN, Name

GROUPS = Name("groups", "group of prompts")
BY = Name("by", "way to compare")
MAP = Name("map", "kind of map")
POINTS = Name("points", "kind of points")
PERPLEXITY = Name("perplexity", "perplexity")
PROMPT = Name("prompt", "prompt", of_one=True)
NEAR = Name("near", "measure of nearness")
FOREIGN = Name("foreign", "imported file")

NAMES = (EXPERIMENT, RUN, WITH, GROUPS, BY, MAP, POINTS, PERPLEXITY, TASK, PROMPT, NEAR, FOREIGN)
