"""The page Runs: what trains, its live curves, and how to make it once more."""
