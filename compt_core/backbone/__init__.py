"""The frozen T5: read from files, held in memory, and run over rows with prompts in them."""
