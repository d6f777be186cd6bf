"""The ablation table on the What-if page: what muting each source does to each task, next to the source's weight."""
