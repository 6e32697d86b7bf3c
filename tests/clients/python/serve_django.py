"""Serves one of the two Django sites in this process: python serve_django.py mozilla_site"""

from __future__ import annotations

import os
import sys
from wsgiref.simple_server import make_server

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = f"{sys.argv[1]}.settings"
django.setup()
call_command("migrate", verbosity=0)
make_server("127.0.0.1", int(os.environ["PORT"]), get_wsgi_application()).serve_forever()
