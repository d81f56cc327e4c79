"""The nearest credential is taken, and goes nowhere else."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.credentials.conftest import Safe
from worker.credentials import github_host
from worker.credentials.resolving import host_of
from worker.errors import PermanentError
from worker.git import Credential
from worker.github.logins import AppLogin, TokenLogin

ENVIRONMENT = (AppLogin("1", "pem"), TokenLogin("tok-environment"))


class Installed:
    """Stands for the part that asks GitHub for tokens; the App is not installed on `without`."""

    def __init__(self, without: str = "") -> None:
        self.without = without
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, login: AppLogin, repository: str) -> str | None:
        self.asked.append((login.app_id, repository))
        return None if repository == self.without else f"tok-of-app-{login.app_id}"


async def secret(safe: Safe, **more: Any) -> str | None:
    found = await safe.credentials(**more).for_git(safe.project)
    return found.secret if found else None


async def test_the_nearest_one_is_taken(safe: Safe) -> None:
    more = {"environment": ENVIRONMENT, "installation_token": Installed()}
    assert await secret(safe) is None
    assert await secret(safe, environment=ENVIRONMENT[1:]) == "tok-environment"
    assert await secret(safe, **more) == "tok-of-app-1"
    await safe.set("tok-organisation", organisation="acme")
    assert await secret(safe, **more) == "tok-organisation"
    await safe.set("tok-project")
    assert await secret(safe, **more) == "tok-project"
    await safe.set("pass-word", "git", username="ann")
    found = await safe.credentials(**more).for_git(safe.project)
    assert found == Credential("ann", "pass-word")


async def test_somebody_elses_is_not(safe: Safe) -> None:
    await safe.set("tok-other", organisation="other")
    assert await secret(safe) is None
    alone = replace(safe.project, org_id=None)
    await safe.set("tok-acme", organisation="acme")
    assert await safe.credentials().for_git(alone) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://github.com/a/b.git", "https://github.com:8443/a/b.git", "file:///github.com/a",
        "https://github.com.evil.example/a/b.git", "https://evil.example/github.com/b.git",
        "ssh://github.com/a/b.git", "https://api.github.com/a/b.git",
    ],
)  # fmt: skip
async def test_it_goes_only_to_its_host_and_only_over_https(safe: Safe, url: str) -> None:
    await safe.set("tok-project")
    project = replace(safe.project, repo_url=url)
    assert await safe.credentials(environment=ENVIRONMENT[1:]).for_git(project) is None


async def test_a_host_may_have_a_port(safe: Safe) -> None:
    await safe.set("tok-port-", host="git.example:8443")
    project = replace(safe.project, repo_url="https://Git.example:8443/a/b.git")
    found = await safe.credentials().for_git(project)
    assert found == Credential("x-access-token", "tok-port-")


async def test_an_app_fetches_with_a_token_for_the_repository(safe: Safe, app_key: str) -> None:
    await safe.set(app_key, "github-app", app_id="77")
    installed = Installed()
    assert await secret(safe, installation_token=installed) == "tok-of-app-77"
    assert installed.asked == [("77", safe.project.repository)]


async def test_an_app_of_another_host_gets_no_token_from_this_api(safe: Safe, app_key: str) -> None:
    await safe.set(app_key, "github-app", app_id="77", host="ghe.example")
    project, installed = replace(safe.project, repo_url="https://ghe.example/a/b.git"), Installed()
    assert await safe.credentials(installation_token=installed).for_git(project) is None
    assert installed.asked == []


async def test_where_the_app_is_not_installed_the_next_one_is_taken(safe: Safe) -> None:
    installed = Installed(without=safe.project.repository)
    more = {"environment": ENVIRONMENT, "installation_token": installed}
    assert await secret(safe, **more) == "tok-environment"


async def test_an_app_comes_before_a_token_for_the_api(safe: Safe, app_key: str) -> None:
    credentials = safe.credentials(environment=ENVIRONMENT)
    assert await credentials.for_github(safe.project) == ENVIRONMENT[0]
    await safe.set("pass-word", "git", username="ann")
    assert await credentials.for_github(safe.project) == ENVIRONMENT[0]
    await safe.set("tok-project")
    assert await credentials.for_github(safe.project) == TokenLogin("tok-project")
    await safe.set(app_key, "github-app", app_id="77")
    assert await credentials.for_github(safe.project) == AppLogin("77", app_key.strip())
    unsafe = safe.credentials(environment=ENVIRONMENT, api_url="http://api.github.com")
    assert await unsafe.for_github(safe.project) is None


async def test_those_of_the_environment_belong_to_the_host_of_the_api(safe: Safe) -> None:
    elsewhere = {"environment": ENVIRONMENT[1:], "api_url": "https://ghe.example/api/v3"}
    assert await secret(safe, **elsewhere) is None
    assert await safe.credentials(**elsewhere).for_github(safe.project) == ENVIRONMENT[1]
    await safe.set("tok-project")
    assert await safe.credentials(api_url="https://ghe.example").for_github(safe.project) is None
    project = replace(safe.project, repo_url="https://ghe.example/a/b.git")
    assert await safe.credentials(**elsewhere).for_git(project) is not None


async def test_one_that_cannot_be_opened_is_not_passed_over(safe: Safe) -> None:
    await safe.set("tok-project")
    for keys, told in (([], "set CREDENTIAL_ENCRYPTION_KEY"), ([other_key()], "no key in")):
        safe.keys = keys
        credentials = safe.credentials(environment=ENVIRONMENT[1:])
        for resolve in (credentials.for_git, credentials.for_github):
            with pytest.raises(PermanentError, match=told) as refused:
                await resolve(safe.project)
            assert f"project {safe.project.id} for github.com" in refused.value.message
            assert "tok-project" not in refused.value.message


async def test_a_row_copied_to_another_owner_is_refused(safe: Safe) -> None:
    await safe.set("tok-other", organisation="other")
    await safe.pool.execute(
        """INSERT INTO credentials (id, project_id, kind, host, sealed, key_id)
           SELECT gen_random_uuid(), $1, kind, host, sealed, key_id FROM credentials""",
        safe.project.id,
    )
    with pytest.raises(PermanentError, match="sealed for another owner"):
        await safe.credentials().for_git(safe.project)


def test_nothing_shows_a_secret_by_accident() -> None:
    shown = repr([Credential("u", "hidden"), TokenLogin("hidden"), AppLogin("1", "hidden")])
    assert "hidden" not in shown


def test_hosts() -> None:
    assert host_of("https://GitHub.com:443/x") == "github.com"
    assert github_host("https://api.github.com") == "github.com"
    assert github_host("https://ghe.example:8443/api/v3") == "ghe.example:8443"
    assert github_host("http://127.0.0.1:9") == "127.0.0.1:9"


def other_key() -> str:
    return Fernet.generate_key().decode()
