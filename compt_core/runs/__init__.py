"""Runs that outlive their page: states, the store (one SQLite file) and the worker that trains them."""
