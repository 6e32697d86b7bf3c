"""The relying party: signing in with accounts at identity providers.

`authorization` begins, `exchange` ends. The rest is one file for each rule in between.
"""
