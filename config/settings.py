"""Every setting of the site, read top to bottom: paths, secrets, apps, database, workers, web, logging.

Values that differ between machines come from environment variables through `config.env`, which explains a bad one.
"""

import os
import tomllib
from pathlib import Path

from config import database, env, postgres

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("VAR_DIR", str(BASE_DIR / "var")))
VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]

# --- Secrets and mode ------------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret_key(VAR_DIR / "secret_key")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver")
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
CSRF_FAILURE_VIEW = "audit.web.form_too_old"
ENVIRONMENT = env.text("ENVIRONMENT", "demo")

# --- Applications ----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "config.apps.HoldpointAdminConfig",
    "guardian",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_q",
    "csp",
    # Second factors. allauth.mfa stands on the other two; none of their pages has an address here.
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "audit",
    "budgets",
    "approvals",
    "orchestrator",
]

MIDDLEWARE = [
    "config.probes.ProbeMiddleware",
    "orchestrator.api.problems.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "audit.preferences.TimeZoneMiddleware",
    "audit.web.PrivatePagesMiddleware",
    "audit.web.SamePersonMiddleware",
    "audit.web.FormAddressMiddleware",
    "audit.web.SignInMiddleware",
    "audit.web.RefusalMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "orchestrator.views.frame.frame",
            ],
        },
    },
]

# --- Database --------------------------------------------------------------------------------------------------
# Unset DATABASE_URL means the embedded PostgreSQL under VAR_DIR; there is no second engine.
DATABASES = {
    "default": database.settings_of(
        env.text("DATABASE_URL", "") or postgres.dsn(VAR_DIR),
        kept_seconds=env.integer("DATABASE_CONN_MAX_AGE", 60, at_least=0),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People ----------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
GUARDIAN_RAISE_403 = False
GUARDIAN_MONKEY_PATCH_USER = False
ANONYMOUS_USER_NAME = None
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "work"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = env.seconds("SESSION_SECONDS", 8 * 3600)
# One switch: where the site is reached by HTTPS, it is reached by nothing else.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = env.flag("HTTPS", False)
SECURE_HSTS_SECONDS = env.integer("HSTS_SECONDS", 31_536_000, at_least=0) if SECURE_SSL_REDIRECT else 0
BEHIND_PROXY = env.flag("BEHIND_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# With BEHIND_PROXY: how many proxies of ours a request passes. Each adds to X-Forwarded-For where it came from; what
# stands further left, anybody may have written.
PROXY_COUNT = env.integer("PROXY_COUNT", 1, at_least=1)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- Second factors --------------------------------------------------------------------------------------------
# Where people reach the site: the links in messages begin with it, and passkeys are bound to its host name.
# Where `make run` answers is written down for commands in another shell, which know nothing of its PORT.
_port = env.port("PORT", int(env.noted("port", "8000")))
SITE_URL = env.site("SITE_URL", f"http://localhost:{_port}")
# What encrypts the secrets of authenticator apps and recovery codes. The first key writes, every key reads.
FACTOR_KEYS = [key.strip() for key in env.secret("FACTOR_KEYS").split(",") if key.strip()] or [SECRET_KEY]
MFA_ADAPTER = "approvals.authentication.factor_secrets.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
# A code of the half minute before and after is taken as well: clocks differ, and people type slowly.
MFA_TOTP_TOLERANCE = 1
MFA_TOTP_ISSUER = "Holdpoint"

# --- The approval queue ----------------------------------------------------------------------------------------
CLAIM_SECONDS = env.integer("CLAIM_SECONDS", 15 * 60, at_least=60)
# Beyond this many, an agent's waiting requests are folded into one row per tool.
QUEUE_SHOWN_PER_AGENT = env.integer("QUEUE_SHOWN_PER_AGENT", 25, at_least=1)
BULK_LIMIT = env.integer("BULK_LIMIT", 500, at_least=1)

# --- Dead letters ----------------------------------------------------------------------------------------------
# So many letters one operation takes at most, and so many one person may discard without a second one.
OPERATION_LIMIT = env.integer("OPERATION_LIMIT", 10_000, at_least=1)
DISCARD_ALONE_UP_TO = env.integer("DISCARD_ALONE_UP_TO", 20, at_least=0)

# --- Content security: everything from our own origin, nothing inline ------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    },
}

# --- Engine and workers ----------------------------------------------------------------------------------------
WORKERS = env.integer("WORKERS", max(2, os.cpu_count() or 2), at_least=1)
# How many claims one worker process runs at a time: a step mostly waits, for a model, a tool or the disk.
HANDS = env.integer("HANDS", 12, at_least=1)
# How many packages of claims may wait inside django-q2; time spent there counts against their lease.
PACKAGES = WORKERS
LEASE_SECONDS = env.seconds("LEASE_SECONDS", 15)
SWEEP_SECONDS = env.seconds("SWEEP_SECONDS", 1)
# Above the first number a figure is degraded, above the second it is down. What each is, and why: docs/health.md.
HEALTH_LIMITS = env.limits(
    "HEALTH_LIMITS",
    {
        "queue_age": (10, 60),  # seconds, as wherever nothing else is said
        "leases": (5, 30),
        "dead_letters": (5, 50),  # in ten minutes
        "approvals": (8 * 3600, 72 * 3600),
        "workers": (6, 15),
        "sweep": (10, 30),
        "clusters": (0, 3),  # restarts in ten minutes
        "notices": (60, 600),
        "webhooks": (60, 3600),
        "trace_export": (60, 600),
        "database": (0.1, 1),
        "connections": (80, 95),  # percent
        "transaction": (60, 300),
        "clock": (2, 60),
        "audit_chain": (26 * 3600, 7 * 24 * 3600),
        "backup": (26 * 3600, 72 * 3600),
    },
)
# Acceptable ranges: USD per transaction, seconds of orchestration (95 % below), percent of successes.
SERVICE_LEVELS = env.limits("SERVICE_LEVELS", {"cost": (0.10, 0.25), "overhead": (0, 0.5), "success": (99.5, 100)})
# One reviewer may sign alone in an emergency; a second one looks at it afterwards. Off means: never.
BREAK_GLASS = env.flag("BREAK_GLASS", True)
# Of a hundred decided requests, how many are judged again by somebody else, where no policy says otherwise.
SECOND_LOOK_PERCENT = env.integer("SECOND_LOOK_PERCENT", 5, at_least=0, at_most=100)
# A review page opened on a record that was read longer ago than this, in seconds, asks for it to be read again.
RECORD_READ_AGAIN_AFTER = env.integer("RECORD_READ_AGAIN_AFTER", 60, at_least=0)
WORKFLOW_DIRS = [Path(path) for path in env.text("WORKFLOW_DIRS", str(BASE_DIR / "examples")).split(":")]
# The only environment a handler ever sees, and only the names its release lists.
HANDLER_ENV = {name: env.text(name, "") for name in env.names("HANDLER_ENV", "ERP_URL,LEDGER_URL,CRM_URL")}

# django-q2 is muscle: it saves nothing, retries nothing, schedules nothing. See orchestrator/engine/broker.py.
Q_CLUSTER = {
    "name": "holdpoint",
    "broker_class": "orchestrator.engine.broker.StepBroker",
    "workers": WORKERS,
    "queue_limit": PACKAGES,
    "bulk": PACKAGES,
    "save_limit": -1,
    # Only an attempt's own clock ends it (orchestrator.engine.runners.pool); django-q2's SIGALRM must never fire first.
    "timeout": 10**6,
    "retry": 2**31,
    "max_attempts": 1,
    "ack_failures": True,
    "scheduler": False,
    "recycle": 100_000,
    "guard_cycle": 0.5,
    "catch_up": False,
    "log_level": "WARNING",
}

# --- API -------------------------------------------------------------------------------------------------------
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "orchestrator.api.auth.TokenAuthentication",
        "orchestrator.api.auth.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["orchestrator.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "orchestrator.api.problems.problem_response",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Holdpoint API",
    "DESCRIPTION": "Gate, run and prove what agents do. Errors are RFC 9457 problem documents.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "BulkActEnum": "approvals.models.BulkAct.choices",
        "OperationActEnum": "orchestrator.models.OperationAct.choices",
        "OutcomeVerdictEnum": "orchestrator.models.OutcomeVerdict.choices",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "orchestrator.api.contract.let_anything_be_null",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Notifications ---------------------------------------------------------------------------------------------
# Without a mail server each message becomes a file: a log is no place for what people are told.
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_BACKEND = (
    "approvals.notifying.mail.EmailBackend" if EMAIL_HOST else "django.core.mail.backends.filebased.EmailBackend"
)
EMAIL_FILE_PATH = VAR_DIR / "mail"
EMAIL_PORT = env.port("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.text("EMAIL_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_PASSWORD", "")
EMAIL_USE_TLS = env.flag("EMAIL_TLS", True)
EMAIL_TIMEOUT = 10
EMAIL_SUBJECT_PREFIX = "[Holdpoint] "
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "holdpoint@localhost")
# Webhooks go to public addresses over https. On for tests, or where the receiver stands in the same network.
WEBHOOK_PRIVATE_TARGETS = env.flag("WEBHOOK_PRIVATE_TARGETS", False)

# --- Language, time, files -------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
# Of whoever has chosen none: Preferences says UTC there.
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = ["config.formats"]
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

# --- Logging: ids and names only, never a payload, prompt or secret ---------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "config.logs.Line", "fmt": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.log_level("LOG_LEVEL", "INFO")},
    "loggers": {"django-q": {"level": "WARNING"}, "django.request": {"level": "ERROR"}, "fido2": {"level": "WARNING"}},
}

# --- Traces in: how much each business unit may send to /v1/traces -----------------------------------------------
TRACE_SPANS_PER_MINUTE = env.integer("TRACE_SPANS_PER_MINUTE", 60_000, at_least=1)
TRACE_SPANS_PER_DAY = env.integer("TRACE_SPANS_PER_DAY", 5_000_000, at_least=1)
TRACE_BYTES_PER_DAY = env.integer("TRACE_BYTES_PER_DAY", 2_147_483_648, at_least=1, at_most=2**62)
# How long they stay where nothing of ours is in their trace. 0: for good.
TRACE_SPAN_DAYS = env.integer("TRACE_SPAN_DAYS", 0, at_least=0, at_most=36_500)

# --- Telemetry: on only where an exporter is configured; losing the sink never changes an execution -------------
OTEL_ENABLED = bool(env.text("OTEL_EXPORTER_OTLP_ENDPOINT", ""))
# Our own executions, steps, calls, approvals and model calls, too; with arguments and results; in OpenInference's names as well.
TRACE_EXPORT = OTEL_ENABLED and env.flag("TRACE_EXPORT", True)
TRACE_EXPORT_CONTENT = env.flag("TRACE_EXPORT_CONTENT", False)
TRACE_EXPORT_OPENINFERENCE = env.flag("TRACE_EXPORT_OPENINFERENCE", False)
