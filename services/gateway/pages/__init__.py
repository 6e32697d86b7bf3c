"""Hosted pages: what people see. Page handlers make the same calls on the bus as the JSON API."""
