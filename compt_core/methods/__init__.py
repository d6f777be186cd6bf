"""The methods: a file for each, the parts they are made of, and the table that lists them.

A method says what it trains, how a task's prompt is made from that, and whether its tasks count as separate runs. It
knows nothing about the backbone or the training loop. It uses settings only by name and does not import them, because
the settings check a method's name against the table here.
"""
