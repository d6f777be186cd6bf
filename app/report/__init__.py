"""The report of an experiment as one HTML file: what it says, and its blocks, tables and figures."""
