"""create_app(config): settings → extensions → words → blueprints → errors → Jinja → commands. Nothing else."""

from __future__ import annotations

import logging
from datetime import timedelta

from apiflask import APIFlask
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import blueprints
import cli
import config as settings
import extensions
import i18n
import mail
from local.servers import running
from seeds import commands


def create_app(config: settings.Config | None = None) -> Flask:
    """The web app. Without `config` the settings come from the environment (WrongSetting stops the start)."""
    config = config or settings.read()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    # APIFlask is Flask that can write down what /api/v1 offers (blueprints.api); pages know nothing of it.
    app = APIFlask("sillage", "Sillage", "1", None, None, json_errors=False, root_path=str(settings.ROOT))
    app.config.update(
        SECRET_KEY=config.secret_key,
        SECRET_KEY_FALLBACKS=list(config.old_secret_keys),
        SQLALCHEMY_DATABASE_URI=config.database_url,
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_size": 5,
            "max_overflow": 10,
            "pool_pre_ping": True,
            "pool_use_lifo": True,  # the one that was used last has prepared the history's statements
            "connect_args": {"connect_timeout": 5, "prepare_threshold": 3},
        },
        RATELIMIT_STORAGE_URI=config.redis_url.replace("unix://", "redis+unix://"),
        RATELIMIT_ENABLED=config.env != "test",
        MAX_CONTENT_LENGTH=config.max_email * 4,
        MAX_FORM_MEMORY_SIZE=2 * 1024 * 1024,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.base_url.startswith("https://"),
        REMEMBER_COOKIE_SECURE=config.base_url.startswith("https://"),
        REMEMBER_COOKIE_HTTPONLY=True,
        REMEMBER_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_DURATION=timedelta(days=30),
        PERMANENT_SESSION_LIFETIME=timedelta(days=7),
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=365),
        TESTING=config.env == "test",
    )
    if config.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, config.proxies, config.proxies, x_host=0)  # type: ignore[method-assign]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["services"] = lambda: running(config.places)
    extensions.setup(app, config)
    i18n.setup(app)
    mail.setup(app)
    blueprints.register(app)
    cli.register(app)
    commands.register(app)
    return app
