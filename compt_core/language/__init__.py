"""The made-up small language of the demo tasks: its words, grammar, cases and suites."""
