"""HTTP itself: the request, the response, forms, cookies and connections."""
