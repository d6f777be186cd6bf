"""Where fleets train: this process and its GPUs."""
