"""Backups: what `aero2 backup` writes, and how `aero2 restore` makes a deployment of it again."""
