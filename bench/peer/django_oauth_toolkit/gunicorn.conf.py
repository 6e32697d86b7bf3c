"""One process with threads: the worker of gunicorn that keeps connections open."""

import os

bind = f"127.0.0.1:{os.environ['PORT']}"
workers = 1
worker_class = "gthread"
threads = 8
keepalive = 75
timeout = 300
