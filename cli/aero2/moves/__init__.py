"""`aero2 apps move`: moves an application to another database cluster while it is used (docs/adr/0033)."""
