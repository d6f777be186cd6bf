"""The methods, the fleets that train them side by side, and what a trained run shows."""
