"""The version of this package. It has no releases yet."""

__version__ = "0.0.0"
