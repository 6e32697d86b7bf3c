"""Decides whether a request is worked on now: flood limits, and a fair queue for each application."""
