"""Labels scored, answers, metrics and the statistics over seeds."""
