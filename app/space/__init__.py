"""The Prompt space page: what is compared, its figures, ways over training, nearest pieces, imported prompts."""
