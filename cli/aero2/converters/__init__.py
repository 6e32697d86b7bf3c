"""Exports of other systems, turned into the format of an import (docs/migrate.md)."""
