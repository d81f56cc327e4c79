"""Settings: every variable, every fault at once, and no secret in any text."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from worker.errors import ConfigurationError
from worker.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
NEEDED = {"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h"}
SECRET = "s3cret-of-16-characters"
KEY = "A" * 43 + "="
APP = {"GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY": "k"}

# variable, text, what the field becomes.
VARIABLES: list[tuple[str, str, Any]] = [
    ("DATABASE_URL", "postgres://u:p@h/d", "postgres://u:p@h/d"),
    ("DATABASE_UNPOOLED_URL", "postgresql://u@h:5433/d", "postgresql://u@h:5433/d"),
    ("DATABASE_POOL_SIZE", "25", 25),
    ("REDIS_URL", "rediss://h:6380/1", "rediss://h:6380/1"),
    ("ENVIRONMENT", "staging", "staging"),
    ("HOST", "::", "::"),
    ("PORT", "9000", 9000),
    ("HEALTH_CHECK_PORT", "0", 0),
    ("LOG_LEVEL", "WARNING", "warning"),
    ("LOG_FORMAT", "json", "json"),
    ("SHUTDOWN_TIMEOUT_MS", "5000", 5000),
    ("WORKER_QUEUES", " webhooks, analysis,", ["webhooks", "analysis"]),
    ("GITHUB_WEBHOOK_SECRET", "one, two", ["one", "two"]),
    ("GITHUB_TOKEN", "ghp_x", "ghp_x"),
    ("GITHUB_APP_ID", "12345", "12345"),
    ("GITHUB_APP_PRIVATE_KEY", "-----BEGIN-----\\nx\\n", "-----BEGIN-----\nx\n"),
    ("GITHUB_API_URL", "https://github.example/api/v3/", "https://github.example/api/v3"),
    ("CREDENTIAL_ENCRYPTION_KEY", f"{KEY}, {KEY}", [KEY, KEY]),
    ("ENDPOINT_ENCRYPTION_KEY", KEY, [KEY]),
    ("GATE_SANDBOX", "off", "off"),
    ("GATE_SCRATCH_DIR", "/var/cache/gates", Path("/var/cache/gates")),
    ("GATE_TRUSTED_HOSTS", "a.example, b:8081", ["a.example", "b:8081"]),
    ("GATE_TOOLS", "/opt/node, /opt/go", [Path("/opt/node"), Path("/opt/go")]),
    ("RESEND_API_KEY", "re_x", "re_x"),
    ("RESEND_API_URL", "http://127.0.0.1:9/", "http://127.0.0.1:9"),
    ("RESEND_RATE_PER_SECOND", "5", 5),
    ("SMTP_URL", "smtps://u:p@h:465", "smtps://u:p@h:465"),
    ("EMAIL_FROM", "a@example.com", "a@example.com"),
    ("EMAIL_OUTBOX_DIR", "/var/outbox", Path("/var/outbox")),
    (
        "WEBHOOK_ALLOWED_NETWORKS",
        "127.0.0.0/8, fd00::/8",
        [ip_network("127.0.0.0/8"), ip_network("fd00::/8")],
    ),
    ("USAGE_CALLS_PER_MINUTE", "60", 60),
    ("KEY_CHECKS_PER_MINUTE", "90", 90),
    ("API_TOKEN", "t", "t"),
    ("GIT_CACHE_DIR", "/var/cache/x", Path("/var/cache/x")),
    ("GIT_PROTOCOLS", "https,file", ["https", "file"]),
    ("SLA_ALERT_URL", "https://h/hook", "https://h/hook"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318", "http://h:4318"),
]
DEFAULTS: dict[str, Any] = {
    "database_pool_size": 10, "environment": "development", "host": "0.0.0.0", "port": 8000,
    "health_check_port": 8080, "log_level": "info", "log_format": None,
    "shutdown_timeout_ms": 30_000, "worker_queues": None, "github_webhook_secret": [],
    "github_app_id": None, "github_app_private_key": None, "credential_encryption_key": [],
    "endpoint_encryption_key": [],
    "github_api_url": "https://api.github.com", "gate_sandbox": "required", "gate_tools": [],
    "resend_api_key": None, "resend_api_url": "https://api.resend.com", "smtp_url": None,
    "resend_rate_per_second": 2, "email_from": None, "webhook_allowed_networks": [],
    "usage_calls_per_minute": 12_000, "key_checks_per_minute": 60_000,
    "github_token": None, "api_token": None, "git_protocols": ["https"],
    "database_unpooled_url": None, "sla_alert_url": None,
    "otel_exporter_otlp_endpoint": None, "queue_overrides": {},
}  # fmt: skip
WRONG: list[tuple[str, str]] = [
    ("DATABASE_URL", "mysql://u:hunter2-pw@h/d"),
    ("DATABASE_URL", "hunter2-pw"),
    ("DATABASE_URL", "postgresql://u:hunter2-pw@[h/d"),
    ("DATABASE_URL", "postgresql://u:hunter2-pw@h℀/d"),
    ("DATABASE_UNPOOLED_URL", "http://u:hunter2-pw@h"),
    ("REDIS_URL", "amqp://u:hunter2-pw@h"),
    ("DATABASE_POOL_SIZE", "0"),
    ("ENVIRONMENT", "prod"),
    ("GITHUB_API_URL", "api.github.com/hunter2-pw"),
    ("GATE_SANDBOX", "on"),
    ("CREDENTIAL_ENCRYPTION_KEY", f"{KEY},hunter2-pw"),
    ("CREDENTIAL_ENCRYPTION_KEY", "hunter2-pw-é"),
    ("SLA_ALERT_URL", "ftp://u:hunter2-pw@h"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://u:hunter2-pw@h"),
    ("SMTP_URL", "http://u:hunter2-pw@h"),
    ("RESEND_API_URL", "hunter2-pw"),
    ("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8,hunter2-pw"),
    ("USAGE_CALLS_PER_MINUTE", "0"),
    ("PORT", "65536"),
    ("HEALTH_CHECK_PORT", "http"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
    ("SHUTDOWN_TIMEOUT_MS", "-1"),
    ("QUEUE_WEBHOOKS_CONCURRENCY", "0"),
    ("QUEUE_WEBHOOKS_SLA", "1.5"),
    ("QUEUE_WEBHOOKS_ATTEMPTS", "many"),
]


def loaded(**variables: str) -> Settings:
    return load_settings(NEEDED | variables)


def problems(variables: dict[str, str], **options: bool) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(variables, **options)
    return refused.value.problems


def revealed(value: object) -> object:
    if isinstance(value, list):
        return [revealed(v) for v in value]
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def test_the_table_has_every_field() -> None:
    fields = set(Settings.model_fields) - {"queue_overrides"}
    assert {name.lower() for name, _, _ in VARIABLES} == fields


@pytest.mark.parametrize(("variable", "text", "value"), VARIABLES)
def test_a_field_comes_from_its_variable(variable: str, text: str, value: Any) -> None:
    settings = loaded(**{**APP, "EMAIL_FROM": "a@example.com", variable: text})
    assert revealed(getattr(settings, variable.lower())) == value


@pytest.mark.parametrize("variable", ["GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"])
def test_an_app_needs_its_id_and_its_key(variable: str) -> None:
    told = problems(NEEDED | {variable: "1"})
    assert told == ["GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY are needed together"]


@pytest.mark.parametrize("variable", ["RESEND_API_KEY", "SMTP_URL"])
def test_emails_need_an_address_to_come_from(variable: str) -> None:
    [told] = problems(NEEDED | {variable: "smtp://h"})
    assert told.startswith("EMAIL_FROM is required")


@pytest.mark.parametrize("field", DEFAULTS)
def test_a_field_has_its_default_when_its_variable_is_missing_or_empty(field: str) -> None:
    assert getattr(loaded(), field) == DEFAULTS[field]
    assert getattr(loaded(**{field.upper(): ""}), field) == DEFAULTS[field]


def test_the_processes_own_environment_is_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PORT", "1234")
    assert load_settings().port == 1234


@pytest.mark.parametrize(("variable", "text"), WRONG)
def test_a_wrong_value_is_one_line_that_names_its_variable_alone(variable: str, text: str) -> None:
    [problem] = problems(NEEDED | {"EMAIL_FROM": "a@example.com", variable: text})
    assert problem.startswith(f"{variable}:")
    assert "\n" not in problem
    assert "hunter2-pw" not in problem


def test_every_problem_is_told_at_once() -> None:
    told = problems(
        {
            "PORT": "x", "LOG_LEVEL": "loud", "REDIS_URL": "h", "GITHUB_WEBHOOK_SECRET": "short",
            "QUEUE_WEBHOOKS_TIMEOUT": "x",
        },
        needs_webhook_secret=True,
    )  # fmt: skip
    named = sorted(p.split(":")[0].split(" ")[0] for p in told)
    assert named == [
        "DATABASE_URL", "GITHUB_WEBHOOK_SECRET", "LOG_LEVEL", "PORT", "QUEUE_WEBHOOKS_TIMEOUT",
        "REDIS_URL",
    ]  # fmt: skip


def test_what_is_required_is_said_so() -> None:
    assert problems({}, needs_webhook_secret=True) == [
        "DATABASE_URL is required", "REDIS_URL is required", "GITHUB_WEBHOOK_SECRET is required",
    ]  # fmt: skip


def test_a_webhook_secret_is_needed_by_the_web_service_alone_and_long_enough() -> None:
    loaded()
    short = problems(
        NEEDED | {"GITHUB_WEBHOOK_SECRET": f"{SECRET},short"}, needs_webhook_secret=True
    )
    assert short == ["GITHUB_WEBHOOK_SECRET: each secret needs at least 16 characters"]
    both = load_settings(
        NEEDED | {"GITHUB_WEBHOOK_SECRET": f"{SECRET}, {SECRET}2"}, needs_webhook_secret=True
    )
    assert revealed(both.github_webhook_secret) == [SECRET, f"{SECRET}2"]
    assert problems(NEEDED | {"GITHUB_WEBHOOK_SECRET": " , "}, needs_webhook_secret=True) == [
        "GITHUB_WEBHOOK_SECRET is required"
    ]


def test_production_needs_a_token() -> None:
    assert problems(NEEDED | {"ENVIRONMENT": "production"}) == [
        "API_TOKEN is required when ENVIRONMENT is production"
    ]
    assert loaded(ENVIRONMENT="production", API_TOKEN=SECRET).is_production
    assert not loaded().is_production


@pytest.mark.parametrize(
    ("environment", "log_format", "as_json"),
    [
        ("development", "", False),
        ("development", "json", True),
        ("staging", "", True),
        ("staging", "console", False),
    ],
)
def test_logs_are_json_but_on_a_development_machine(
    environment: str, log_format: str, as_json: bool
) -> None:
    assert loaded(ENVIRONMENT=environment, LOG_FORMAT=log_format).logs_as_json is as_json


def test_migrations_go_past_a_pooler() -> None:
    assert (loaded().migration_url, loaded().behind_pooler) == ("postgresql://h/d", False)
    pooled = loaded(DATABASE_UNPOOLED_URL="postgresql://direct/d")
    assert (pooled.migration_url, pooled.behind_pooler) == ("postgresql://direct/d", True)


SECRETS = {
    "DATABASE_URL": "postgresql://u:pw-of-database@h/d",
    "DATABASE_UNPOOLED_URL": "postgresql://u:pw-of-unpooled@h/d",
    "REDIS_URL": "redis://:pw-of-redis@h",
    "GITHUB_WEBHOOK_SECRET": "webhook-secret-one,webhook-secret-two",
    "GITHUB_TOKEN": "token-of-github",
    "API_TOKEN": "token-of-the-api",
    "SLA_ALERT_URL": "https://u:pw-of-alerts@hooks.example/services/path-of-alerts?key=key-of-alerts",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://u:pw-of-collector@collector.example",
    "RESEND_API_KEY": "key-of-resend",
    "SMTP_URL": "smtps://u:pw-of-mail@mail.example",
    "EMAIL_FROM": "a@example.com",
}
TEXTS = {
    "pw-of-database", "pw-of-unpooled", "pw-of-redis", "webhook-secret-one", "webhook-secret-two",
    "token-of-github", "token-of-the-api", "pw-of-alerts", "/services/path-of-alerts",
    "key=key-of-alerts", SECRETS["SLA_ALERT_URL"], "pw-of-collector", "key-of-resend", "pw-of-mail",
}  # fmt: skip


def test_the_secrets_are_all_known_to_the_logs() -> None:
    assert set(load_settings(SECRETS).secrets()) == TEXTS


def test_an_escaped_password_is_known_as_it_stands_and_as_it_is() -> None:
    escaped = loaded(DATABASE_URL="postgresql://u:p%40ssw%2Frd@h/d").secrets()
    assert {"p%40ssw%2Frd", "p@ssw/rd"} <= set(escaped)


def test_no_secret_is_in_any_text_of_the_settings() -> None:
    settings = load_settings(SECRETS)
    texts = (repr(settings), str(settings), settings.model_dump_json(), f"{settings!r}")
    assert [s for s in TEXTS for t in texts if s in t] == []


def test_no_secret_is_in_an_error() -> None:
    told = problems(SECRETS | {"PORT": "x", "ENVIRONMENT": "production", "LOG_LEVEL": "loud"})
    assert [s for s in TEXTS if s in " ".join(told)] == []


def test_no_secret_is_in_the_text_of_the_checks_own_error() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(
            {"database_url": "mysql://u:hunter2-pw@h", "redis_url": "redis://h"}
        )
    assert "hunter2-pw" not in str(refused.value)


def example() -> set[str]:
    """The variables of `.env.example`."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))


def test_the_example_names_every_variable_that_is_read() -> None:
    in_use = example()
    read = {name for name, _, _ in VARIABLES}
    overrides = {n for n in in_use if n.startswith("QUEUE_")}
    assert in_use - overrides - {"POSTGRES_PASSWORD"} == read
    assert overrides


def test_the_example_is_valid_once_the_secret_is_filled_in() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    pairs = dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))
    load_settings(pairs | {"GITHUB_WEBHOOK_SECRET": SECRET}, needs_webhook_secret=True)
