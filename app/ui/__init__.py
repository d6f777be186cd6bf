"""The mechanism that pages share: session and address, caches, controls, clicks. Knows no page."""
