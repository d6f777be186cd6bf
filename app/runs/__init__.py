"""The page Runs: what trains, its live curves, and how to repeat it."""
