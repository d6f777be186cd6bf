"""Settings of runs and experiments: what they mean, how people write them, what is said of a wrong one."""
