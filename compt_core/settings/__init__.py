"""The settings of runs and experiments: what they mean, how people write them, and what a wrong one is told."""
