"""Peers of the same kind, each on the PostgreSQL server of the deployment, in the same run."""
