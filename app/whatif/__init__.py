"""The What-if page: controls for a finished run's attention, gates and prompts, and what moving them does."""
