"""The steps of the authorization endpoint, one in each file.

A step raises OAuthError, or returns the page that the user has to visit first, or returns None.
"""
