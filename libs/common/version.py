"""The version of Aero2. It stands only here: pyproject.toml reads it from this file."""

VERSION = "0.1.0"
