"""The core of ComPT Lab: compositional prompt tuning of a frozen T5. Knows nothing of the dashboard."""

__version__ = "0.1.0"
