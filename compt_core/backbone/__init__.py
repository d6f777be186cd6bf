"""The frozen T5: read from files, held in memory, run over rows with prompts in them."""
