"""Authentication: the application of a host, and the caller behind a credential."""
