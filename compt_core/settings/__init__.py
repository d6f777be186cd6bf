"""Settings of runs and experiments: what they mean, how people write them, and what is wrong with a bad one."""
