"""Health, metrics and certificates, for load balancers, operators and TLS fronts."""
