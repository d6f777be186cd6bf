"""Training: the visible loop, its optimizer and its events."""
