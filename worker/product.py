"""What Switchyard itself runs: its queues, its handlers, and what they need."""

from redis.asyncio import Redis

from worker.artifacts.store import ArtifactStore
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
from worker.settings import Settings

__all__ = ["BUILT_IN", "QUEUES", "REGISTRY", "open_resources"]


def open_resources(settings: Settings, pool: Pool, redis: Redis) -> Resources:
    """What the product's own handlers need. Raises ConfigurationError for an unusable key."""
    queues = configured(settings.queue_overrides)
    github = GitHub(redis, settings.github_api_url)
    credentials = _credentials(settings, pool, github)
    return Resources(
        mirrors=Mirrors(settings.git_cache_dir, protocols=settings.git_protocols),
        artifacts=ArtifactStore(pool),
        conflicts=ConflictStore(pool),
        credentials=credentials,
        housekeeping=Housekeeping(pool),
        follow_ups=FollowUps(pool, redis, queues),
        github=github,
        github_reports=ReportStore(pool),
        missed_deliveries=MissedDeliveries(github, credentials, pool, redis),
        gates=GateStore(pool),
        gate_runner=GateRunner(
            settings.gate_scratch_dir,
            tools=settings.gate_tools,
            trusted=settings.gate_trusted_hosts,
            unsafe=settings.gate_sandbox == "off",
            seconds=queues["gate-evaluation"].timeout,
        ),
    )


def _credentials(settings: Settings, pool: Pool, github: GitHub) -> Credentials:
    return Credentials(
        CredentialStore(pool),
        Cipher([key.get_secret_value() for key in settings.credential_encryption_key]),
        environment=_logins(settings),
        api_url=settings.github_api_url,
        installation_token=github.installation_token,
    )


def _logins(settings: Settings) -> list[GitHubLogin]:
    """The App of the environment before its token; each for the host of GITHUB_API_URL alone."""
    logins: list[GitHubLogin] = []
    if settings.github_app_id and settings.github_app_private_key:
        key = settings.github_app_private_key.get_secret_value()
        logins.append(AppLogin(settings.github_app_id, key))
    if settings.github_token:
        logins.append(TokenLogin(settings.github_token.get_secret_value()))
    return logins
