"""The only reader of the environment: every variable, its default and its check."""

import base64
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
)

from worker.errors import ConfigurationError

MINIMUM_SECRET_LENGTH = 16
_QUEUE_OVERRIDE = re.compile(r"QUEUE_([A-Z_]+)_(CONCURRENCY|ATTEMPTS|TIMEOUT|SLA)")


def _comma_separated(value: object) -> object:
    return [p.strip() for p in value.split(",") if p.strip()] if isinstance(value, str) else value


def _scheme(url: str) -> str | None:
    try:
        return urlsplit(url).scheme
    except ValueError:
        # Its message would quote the address, password and all.
        return None


def _address(example: str, *schemes: str) -> AfterValidator:
    """An address like the example, with one of these schemes."""

    def check(value: SecretStr) -> SecretStr:
        if _scheme(value.get_secret_value()) not in schemes:
            raise ValueError(f"must be an address such as {example}")
        return value

    return AfterValidator(check)


Listed = BeforeValidator(_comma_separated)
DatabaseUrl = Annotated[
    SecretStr, _address("postgresql://user@host/name", "postgresql", "postgres")
]
RedisUrl = Annotated[SecretStr, _address("redis://host:6379/0", "redis", "rediss", "unix")]
SmtpUrl = Annotated[SecretStr, _address("smtps://user:password@mail.example:465", "smtp", "smtps")]
HookUrl = Annotated[SecretStr, _address("https://alerts.example/hook", "https", "http")]
CollectorUrl = Annotated[SecretStr, _address("http://collector:4318", "https", "http")]
Port = Annotated[int, Field(ge=0, le=65535)]
CallsPerMinute = Annotated[int, Field(ge=1, le=100_000_000)]


class Settings(BaseModel):
    """One field a variable, named like it in lower case. Durations carry their unit in the name."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: DatabaseUrl
    database_unpooled_url: DatabaseUrl | None = None
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    redis_url: RedisUrl
    environment: Literal["development", "staging", "production"] = "development"
    host: str = "0.0.0.0"  # noqa: S104  a container is reached from outside; `up` and `demo` set loopback
    port: Port = 8000
    health_check_port: Port = 8080
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] | None = None
    shutdown_timeout_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 30_000
    worker_queues: Annotated[list[str] | None, Listed] = None
    github_webhook_secret: Annotated[list[SecretStr], Listed] = []
    github_token: SecretStr | None = None
    github_app_id: str | None = None
    github_app_private_key: SecretStr | None = None
    github_api_url: str = "https://api.github.com"
    credential_encryption_key: Annotated[list[SecretStr], Listed] = []
    endpoint_encryption_key: Annotated[list[SecretStr], Listed] = []
    gate_sandbox: Literal["required", "off"] = "required"
    gate_scratch_dir: Path = Path(tempfile.gettempdir()) / "switchyard-gates"
    gate_tools: Annotated[list[Path], Listed] = []
    gate_trusted_hosts: Annotated[list[str], Listed] = []
    resend_api_key: SecretStr | None = None
    resend_api_url: str = "https://api.resend.com"
    resend_rate_per_second: Annotated[int, Field(ge=1, le=1000)] = 2
    smtp_url: SmtpUrl | None = None
    email_from: str | None = None
    email_outbox_dir: Path = Path(tempfile.gettempdir()) / "switchyard-outbox"
    webhook_allowed_networks: Annotated[list[IPvAnyNetwork], Listed] = []
    usage_calls_per_minute: CallsPerMinute = 12_000
    key_checks_per_minute: CallsPerMinute = 60_000
    api_token: SecretStr | None = None
    git_cache_dir: Path = Path(tempfile.gettempdir()) / "switchyard-git"
    git_protocols: Annotated[list[str], Listed] = ["https"]
    sla_alert_url: HookUrl | None = None
    otel_exporter_otlp_endpoint: CollectorUrl | None = None
    queue_overrides: dict[str, dict[str, int]] = {}

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("credential_encryption_key", "endpoint_encryption_key")
    @classmethod
    def _fernet_keys(cls, value: list[SecretStr]) -> list[SecretStr]:
        for number, key in enumerate(value, 1):
            if not _is_fernet_key(key.get_secret_value()):
                raise ValueError(f"key {number} is not 32 bytes in URL-safe base64")
        return value

    @field_validator("github_api_url", "resend_api_url")
    @classmethod
    def _api_scheme(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("https", "http"):
            raise ValueError("must be an address such as https://api.github.com")
        return value.rstrip("/")

    @field_validator("github_app_private_key", mode="before")
    @classmethod
    def _lines(cls, value: object) -> object:
        # Where an environment variable cannot hold several lines they are written as \n.
        return value.replace("\\n", "\n") if isinstance(value, str) else value

    @property
    def is_production(self) -> bool:
        """Whether development conveniences are off."""
        return self.environment == "production"

    @property
    def logs_as_json(self) -> bool:
        """JSON lines unless LOG_FORMAT says otherwise or this is a development machine."""
        usual = "console" if self.environment == "development" else "json"
        return (self.log_format or usual) == "json"

    def secrets(self) -> list[str]:
        """Every text that must never be seen in a log."""
        single = [
            self.github_token, self.api_token, self.sla_alert_url, self.github_app_private_key,
            self.resend_api_key, *self.credential_encryption_key, *self.endpoint_encryption_key,
        ]  # fmt: skip
        passwords = [urlsplit(u.get_secret_value()).password for u in self._addresses()]
        return [
            *(s.get_secret_value() for s in (*self.github_webhook_secret, *single) if s),
            *(text for p in passwords if p for text in {p, unquote(p)}),
            *self._hook_secrets(),
        ]

    def _addresses(self) -> list[SecretStr]:
        urls = (
            self.database_url, self.database_unpooled_url, self.redis_url, self.sla_alert_url,
            self.otel_exporter_otlp_endpoint, self.smtp_url,
        )  # fmt: skip
        return [u for u in urls if u]

    def _hook_secrets(self) -> list[str]:
        """What makes a webhook's address secret: all that comes after its host."""
        if self.sla_alert_url is None:
            return []
        hook = urlsplit(self.sla_alert_url.get_secret_value())
        return [part for part in (hook.path, hook.query) if part]

    @property
    def migration_url(self) -> str:
        """The address for migrations and locks: past a connection pooler where there is one."""
        return (self.database_unpooled_url or self.database_url).get_secret_value()

    @property
    def behind_pooler(self) -> bool:
        """A separate unpooled address means that DATABASE_URL is a transaction pooler."""
        return self.database_unpooled_url is not None


def _is_fernet_key(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text.encode("ascii"))) == 32
    except ValueError:
        return False


def load_settings(
    environ: Mapping[str, str] | None = None, *, needs_webhook_secret: bool = False
) -> Settings:
    """Read the environment. Raises ConfigurationError listing every problem at once."""
    source = os.environ if environ is None else environ
    given = {n: source[n.upper()] for n in Settings.model_fields if source.get(n.upper())}
    problems = _webhook_secret_problems(given) if needs_webhook_secret else []
    if ("github_app_id" in given) != ("github_app_private_key" in given):
        problems.append("GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY are needed together")
    if not given.keys().isdisjoint({"resend_api_key", "smtp_url"}) and "email_from" not in given:
        problems.append("EMAIL_FROM is required where emails are sent: the address they come from")
    if given.get("environment") == "production" and "api_token" not in given:
        problems.append("API_TOKEN is required when ENVIRONMENT is production")
    overrides, override_problems = _queue_overrides(source)
    try:
        settings = Settings.model_validate(given | {"queue_overrides": overrides})
    except ValidationError as error:
        problems = [*_describe(error), *problems]
    problems += override_problems
    if problems:
        raise ConfigurationError(problems)
    return settings


def _webhook_secret_problems(given: Mapping[str, str]) -> list[str]:
    secrets = [s.strip() for s in given.get("github_webhook_secret", "").split(",") if s.strip()]
    if not secrets:
        return ["GITHUB_WEBHOOK_SECRET is required"]
    if any(len(s) < MINIMUM_SECRET_LENGTH for s in secrets):
        return [
            f"GITHUB_WEBHOOK_SECRET: each secret needs at least {MINIMUM_SECRET_LENGTH} characters"
        ]
    return []


def _queue_overrides(source: Mapping[str, str]) -> tuple[dict[str, dict[str, int]], list[str]]:
    overrides: dict[str, dict[str, int]] = {}
    problems = []
    for name, value in source.items():
        match = _QUEUE_OVERRIDE.fullmatch(name)
        if match is None:
            continue
        if not value.isdecimal() or int(value) < 1:
            problems.append(f"{name}: must be a whole number of at least 1")
            continue
        overrides.setdefault(match[1], {})[match[2].lower()] = int(value)
    return overrides, problems


def _describe(error: ValidationError) -> list[str]:
    return [_describe_one(str(e["loc"][0]) if e["loc"] else "", e["msg"], e["type"])
            for e in error.errors(include_input=False, include_url=False)]  # fmt: skip


def _describe_one(field: str, message: str, kind: str) -> str:
    if kind == "missing":
        return f"{field.upper()} is required"
    text = message.removeprefix("Value error, ")
    return f"{field.upper()}: {text}" if field else text
