"""The ablation table on the What-if page: every source muted on every task, beside its weight."""
