"""The Dashboard: the pages where developers manage their applications. Handlers make the same calls on
the bus as the JSON API."""
