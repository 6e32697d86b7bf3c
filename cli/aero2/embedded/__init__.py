"""PostgreSQL and NATS as ordinary processes under a data folder, from their Python wheels."""
