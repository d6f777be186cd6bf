"""The page Studies: its figures, words and address names."""
