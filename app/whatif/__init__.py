"""The What-if page: a finished run's attention, gates and prompts as controls, and what moving them does."""
