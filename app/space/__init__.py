"""The Prompt space page: which prompts are compared, figures, paths over training, nearest pieces, imported prompts."""
