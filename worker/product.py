"""What Switchyard itself runs: its queues, its handlers, and what they need."""

from redis.asyncio import Redis

from worker.artifacts.store import ArtifactStore
from worker.cipher import ENDPOINTS
from worker.conflicts.store import ConflictStore
from worker.credentials import Cipher, Credentials, CredentialStore
from worker.database.pool import Pool
from worker.gates.running import GateRunner
from worker.gates.store import GateStore
from worker.git import Mirrors
from worker.github.api import GitHub
from worker.github.logins import AppLogin, GitHubLogin, TokenLogin
from worker.github.missing import MissedDeliveries
from worker.github.store import ReportStore
from worker.handlers import REGISTRY
from worker.handlers.context import Resources
from worker.jobs.following import FollowUps
from worker.jobs.housekeeping import Housekeeping
from worker.jobs.queues import QUEUES, configured
from worker.jobs.timetable import BUILT_IN
from worker.outgoing.delivering import Deliveries
from worker.outgoing.history import OutgoingHistory
from worker.outgoing.pacing import Pace
from worker.outgoing.probing import Prober
from worker.outgoing.sending import Sender
from worker.settings import Settings
from worker.tenants.actions import AutomaticActions
from worker.tenants.audit.recording import AuditLog
from worker.tenants.notifications.letters import Email, NoEmail, sender_of
from worker.tenants.notifications.outbox import Outbox
from worker.tenants.notifications.resend import Resend
from worker.tenants.notifications.resend_limits import ResendLimits
from worker.tenants.notifications.smtp import MailServer, Smtp
from worker.tenants.notifications.store import Notifications
from worker.tenants.periods.rollover import Rollover
from worker.tenants.periods.summaries import Summaries
from worker.tenants.usage.store import UsageStore

__all__ = ["BUILT_IN", "QUEUES", "REGISTRY", "open_resources"]


def open_resources(settings: Settings, pool: Pool, redis: Redis) -> Resources:
    """What the product's own handlers need. Raises ConfigurationError for an unusable key."""
    queues = configured(settings.queue_overrides)
    follow_ups = FollowUps(pool, redis, queues)
    sender, endpoint_cipher = Sender(settings.webhook_allowed_networks), _endpoint_cipher(settings)
    github = GitHub(redis, settings.github_api_url)
    credentials = _credentials(settings, pool, github)
    return Resources(
        mirrors=Mirrors(settings.git_cache_dir, protocols=settings.git_protocols),
        artifacts=ArtifactStore(pool),
        conflicts=ConflictStore(pool),
        credentials=credentials,
        housekeeping=Housekeeping(pool),
        follow_ups=follow_ups,
        github=github,
        github_reports=ReportStore(pool),
        missed_deliveries=MissedDeliveries(github, credentials, pool, redis),
        gates=GateStore(pool),
        audit=AuditLog(pool),
        actions=AutomaticActions(pool),
        usage=UsageStore(pool, follow_ups),
        rollover=Rollover(pool),
        summaries=Summaries(pool),
        notifications=Notifications(pool),
        email=_email(settings, redis),
        sender=sender,
        deliveries=Deliveries(pool, endpoint_cipher),
        prober=Prober(pool, sender, endpoint_cipher),
        outgoing=OutgoingHistory(pool),
        pace=Pace(queues["webhooks"].concurrency),
        gate_runner=GateRunner(
            settings.gate_scratch_dir,
            tools=settings.gate_tools,
            trusted=settings.gate_trusted_hosts,
            unsafe=settings.gate_sandbox == "off",
            seconds=queues["gate-evaluation"].timeout,
        ),
    )


def _email(settings: Settings, redis: Redis) -> Email:
    """Resend before a mail server; without either a directory, on a development machine only."""
    sender = sender_of(settings.email_from)
    if settings.resend_api_key:
        limits = ResendLimits(redis, settings.resend_rate_per_second)
        key = settings.resend_api_key.get_secret_value()
        return Resend(limits, settings.resend_api_url, key, sender)
    if settings.smtp_url:
        return Smtp(MailServer.of(settings.smtp_url.get_secret_value()), sender)
    if settings.environment == "development":
        return Outbox(settings.email_outbox_dir, sender)
    return NoEmail()


def _credentials(settings: Settings, pool: Pool, github: GitHub) -> Credentials:
    return Credentials(
        CredentialStore(pool),
        Cipher([key.get_secret_value() for key in settings.credential_encryption_key]),
        environment=_logins(settings),
        api_url=settings.github_api_url,
        installation_token=github.installation_token,
    )


def _endpoint_cipher(settings: Settings) -> Cipher:
    keys = [key.get_secret_value() for key in settings.endpoint_encryption_key]
    return Cipher(keys, ENDPOINTS)


def _logins(settings: Settings) -> list[GitHubLogin]:
    """The App of the environment before its token; each for the host of GITHUB_API_URL alone."""
    logins: list[GitHubLogin] = []
    if settings.github_app_id and settings.github_app_private_key:
        key = settings.github_app_private_key.get_secret_value()
        logins.append(AppLogin(settings.github_app_id, key))
    if settings.github_token:
        logins.append(TokenLogin(settings.github_token.get_secret_value()))
    return logins
