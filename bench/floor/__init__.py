"""Floors: what the same work costs at least, in as few lines of Python as it needs."""
