"""Requests to GitHub: who asks, what the errors say, and what they never say."""

import asyncio
import time
from datetime import timedelta

import jwt
import pytest
from structlog.testing import capture_logs

from tests.github.fake import FakeGitHub
from tests.github.office import COMMIT, Office
from worker.github.api import GitHub
from worker.github.app import Logins
from worker.github.client import Client
from worker.github.errors import (
    GitHubRefused,
    GitHubUnavailable,
    Limited,
    LoginRefused,
    NotThere,
)
from worker.github.logins import AppLogin, TokenLogin


def app_login(office: Office) -> AppLogin:
    return AppLogin(office.app.id, office.app.pem)


async def read(office: Office, github: GitHub | None = None) -> None:
    """Read the repository as the App."""
    github = github or office.resources.github
    await github.repository(app_login(office), office.project.repository).call("GET", "")


async def test_the_apps_proof_is_backdated_and_short(office: Office) -> None:
    logins = Logins(Client(office.redis, office.fake.url))
    proof = logins.app(app_login(office)).authorization.removeprefix("Bearer ")
    claims = jwt.decode(proof, office.app.key.public_key(), ["RS256"])
    assert claims["iss"] == "77"
    assert claims["iat"] <= time.time() - 59
    assert claims["exp"] - claims["iat"] <= 600


async def test_a_token_is_narrowed_to_one_repository_and_what_is_needed(office: Office) -> None:
    await read(office)
    [token] = office.fake.company.tokens.values()
    assert token.repositories == {office.repository.id}
    assert token.permissions == {
        "checks": "write", "statuses": "write", "contents": "read", "metadata": "read",
    }  # fmt: skip


async def test_a_token_is_fetched_once_for_all_who_ask_at_once(office: Office) -> None:
    await asyncio.gather(*(read(office) for _ in range(8)))
    await read(office)
    assert len(office.fake.company.tokens) == 1


async def test_a_token_is_renewed_five_minutes_before_its_end(office: Office) -> None:
    now = time.time()
    client = Client(office.redis, office.fake.url)
    logins = Logins(client, lambda: now)
    first = await logins.token(app_login(office), office.project.repository)
    now += 54 * 60
    assert await logins.token(app_login(office), office.project.repository) == first
    now += 2 * 60
    # The proof of this clock is not yet valid at GitHub, and so it is asked for.
    with pytest.raises(LoginRefused):
        await logins.token(app_login(office), office.project.repository)
    await client.close()


async def test_a_token_that_was_revoked_is_replaced(office: Office) -> None:
    await read(office)
    office.fake.company.tokens.clear()
    await read(office)
    assert len(office.fake.company.tokens) == 1


async def test_an_expired_token_is_replaced(office: Office) -> None:
    await read(office)
    [token] = office.fake.company.tokens.values()
    token.expires_at -= timedelta(hours=2)
    await read(office)


async def test_knowing_an_apps_number_is_not_enough(office: Office, known_key: str) -> None:
    await read(office)
    stranger = office.resources.github.repository(
        AppLogin("77", known_key), office.project.repository
    )
    with pytest.raises(LoginRefused, match="App 77"):
        await stranger.call("GET", "")


async def test_the_token_for_git_is_none_where_the_app_is_not_installed(office: Office) -> None:
    github = office.resources.github
    assert await github.installation_token(app_login(office), office.project.repository)
    assert await github.installation_token(app_login(office), "example/elsewhere") is None


async def test_a_person_may_not_write_check_runs(office: Office) -> None:
    office.fake.company.personal.add("ghp_x")
    repository = office.resources.github.repository(TokenLogin("ghp_x"), office.project.repository)
    body = {"name": "n", "head_sha": COMMIT}
    with pytest.raises(GitHubRefused, match="You must authenticate via a GitHub App"):
        await repository.call("POST", "/check-runs", body=body)


async def test_a_renamed_repository_is_found_under_its_new_name(office: Office) -> None:
    office.fake.company.personal.add("ghp_x")
    old = office.fake.add_repository("example/old")
    old.renamed_to = office.project.repository
    repository = office.resources.github.repository(TokenLogin("ghp_x"), "example/old")
    body = {"state": "pending", "context": "c", "description": "d"}
    await repository.call("POST", f"/statuses/{COMMIT}", body=body)
    assert office.statuses("c") == [("pending", "d")]


async def test_a_login_does_not_follow_to_another_server(office: Office) -> None:
    office.fake.company.personal.add("ghp_x")
    async with FakeGitHub().serving() as elsewhere:
        office.fake.elsewhere = elsewhere.url
        repository = office.resources.github.repository(
            TokenLogin("ghp_x"), office.project.repository
        )
        with pytest.raises(GitHubRefused, match="another server"):
            await repository.call("GET", "")
        assert elsewhere.requests == []


@pytest.mark.parametrize("secret", ["ghp_very_secret", "ghs_very\nsecret"])
async def test_no_error_and_no_log_tells_a_secret(office: Office, secret: str) -> None:
    login = TokenLogin(secret)
    with capture_logs() as logs:
        for url in (office.fake.url, "http://127.0.0.1:1"):
            github = GitHub(office.redis, url)
            with pytest.raises((LoginRefused, GitHubUnavailable)) as caught:
                await github.repository(login, office.project.repository).call("GET", "")
            text = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {login!r} {logs}"
            assert secret not in text
            assert "very" not in text
            await github.close()


async def test_the_limits_know_a_login_by_no_secret(office: Office) -> None:
    office.log_in_with_token()
    await office.begun()
    await office.send()
    office.log_in(app_login(office))
    await office.begun()
    await office.send()
    keys = b" ".join(await office.redis.keys("*")).decode()
    assert "github:limits:" in keys
    assert "ghp_" not in keys
    assert "ghs_" not in keys


async def test_github_being_down_is_worth_another_try(office: Office) -> None:
    office.fake.mishap = lambda method, path: "fail"
    with pytest.raises(GitHubUnavailable, match="502"):
        await read(office)


async def test_what_is_not_there_says_where(office: Office) -> None:
    repository = office.resources.github.repository(app_login(office), office.project.repository)
    with pytest.raises(
        NotThere, match=r"App 77 on example/office\d+ nothing at GET .*/check-runs/5"
    ):
        await repository.call("GET", "/check-runs/5")


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("retry_after", [True, False])
async def test_a_secondary_limit_silences_the_login(
    office: Office, status: int, retry_after: bool
) -> None:
    office.fake.limits.silence(20, after=2, retry_after=retry_after, status=status)
    with pytest.raises(Limited) as caught:
        await read(office)
    assert (19 if retry_after else 59) < caught.value.seconds < (22 if retry_after else 61)
    sent = len(office.fake.requests)
    github = GitHub(office.redis, office.fake.url)
    with pytest.raises(Limited):
        await read(office)
    await github.close()
    assert len(office.fake.requests) == sent, "nobody asks meanwhile"
