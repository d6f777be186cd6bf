"""The methods: a file for each, the parts that they are made of, and the table that lists them.

A method says what it trains, how a task's prompt comes out of that, and whether its tasks are runs of their own. It
knows neither the backbone nor the training loop, and the settings only by their names: they check a method's name
against the table here, and so stand above it.
"""
