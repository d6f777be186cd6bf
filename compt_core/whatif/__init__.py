"""What-if: a finished run whose attention, gates and prompts are changed by hand, and what that does to its scores."""
