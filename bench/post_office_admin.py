"""Run by an interpreter that has Django and django-post_office (see bench.against): their tables, their admin.

    PYTHON bench/post_office_admin.py migrate PLACE | measure PLACE QUERIES REQUESTS      (PLACE and QUERIES in JSON)
"""

from __future__ import annotations

import json
import sys
import time
import types
from typing import Any


def set_up(place: dict[str, str]) -> None:
    """A Django project of one app on that database, as its manual has it."""
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="bench", ALLOWED_HOSTS=["*"], ROOT_URLCONF="admin_urls", USE_TZ=True, STATIC_URL="/static/",
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": None, **place}},
        INSTALLED_APPS=[
            "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
            "django.contrib.messages", "post_office",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[{
            "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
            "OPTIONS": {"context_processors": [
                "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]},
        }],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )  # fmt: skip
    django.setup()
    from django.contrib import admin
    from django.urls import path

    urls: Any = types.ModuleType("admin_urls")
    urls.urlpatterns = [path("admin/", admin.site.urls)]
    sys.modules["admin_urls"] = urls


def migrate() -> None:
    """Their tables, and a person who may see them."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    if not User.objects.exists():
        User.objects.create_superuser("bench", "bench@bench.example", "bench")


def measure(queries: list[str], requests: int) -> None:
    """A line of JSON a query: seconds of each request, and of its SQL. Slow ones are asked three times."""
    import post_office
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    client = Client()
    client.force_login(User.objects.get())
    print(json.dumps({"version": ".".join(map(str, post_office.VERSION))}))
    for query in queries:
        seconds: list[float] = []
        sql: list[float] = []

        def timed(execute: Any, *rest: Any, spent: list[float] = sql) -> Any:
            began = time.perf_counter()
            try:
                return execute(*rest)
            finally:
                spent[-1] += time.perf_counter() - began

        while len(seconds) < requests + 2 and (len(seconds) < 3 or sum(seconds) < 10):
            sql.append(0.0)
            with connection.execute_wrapper(timed):
                began = time.perf_counter()
                answer = client.get(f"/admin/post_office/email/?{query}")
                seconds.append(time.perf_counter() - began)
            if answer.status_code != 200:
                raise SystemExit(f"{query}: {answer.status_code} {answer.headers.get('Location')}")
        print(json.dumps({"seconds": seconds[1:], "sql": sql[1:]}), flush=True)


if __name__ == "__main__":
    set_up(json.loads(sys.argv[2]))
    if sys.argv[1] == "migrate":
        migrate()
    else:
        measure(json.loads(sys.argv[3]), int(sys.argv[4]))
