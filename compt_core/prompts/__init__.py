"""Prompts as arrays: out of files that anybody may have made, and as what a run starts from. Loads no torch."""
