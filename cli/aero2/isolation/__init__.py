"""`aero2 doctor isolation`: tries every operation of the API across two applications."""
