"""Label scores, answers, metrics and statistics over seeds."""
