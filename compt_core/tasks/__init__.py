"""Tasks: what a row looks like, where its data comes from, and how it becomes text and batches."""
