"""What load balancers, operators and TLS fronts ask."""
