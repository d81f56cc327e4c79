"""A stored credential opens a real repository over https, and is seen nowhere on the way."""

import asyncio
import datetime
import ipaddress
import logging
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.credentials.conftest import Safe
from tests.git.origins import Origin
from tests.git.processes import command_lines, git_below
from tests.git.smart_http import GitServer
from tests.support import eventually
from worker.errors import SwitchyardError
from worker.git import Credential, Mirrors
from worker.jobs.model import Project

SECRET = "s3cret-Wörd/+%40"
# More than a pipe and a socket hold, so that the fetch is still there when it is looked at.
LARGE = os.urandom(4 * 1024 * 1024)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of its own for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
async def server(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[GitServer]:
    """A private repository over https, which demands the credential."""
    origin = Origin(tmp_path / "origin")
    origin.commit({"README.md": b"hello", "large": LARGE})
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    server = GitServer(origin.path)
    server.certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.certificate.load_cert_chain(certificate)
    server.demanded = f"Basic {Credential('ann', SECRET).basic}"
    async with server.running():
        yield server


@pytest.fixture
async def mirrors(tmp_path: Path) -> AsyncIterator[Mirrors]:
    mirrors = Mirrors(tmp_path / "mirrors", protocols=("https",), fetch_timeout=20)
    yield mirrors
    await mirrors.close()


async def stored(safe: Safe, server: GitServer, secret: str = SECRET) -> Project:
    """A project at that address, with a credential for it."""
    host = server.url.split("/")[2]
    await safe.set(secret, "git", username="ann", host=host)
    return replace(safe.project, repo_url=server.url)


def commit_of(tmp_path: Path) -> str:
    return (tmp_path / "origin/refs/heads/main").read_text().strip()


async def test_a_private_repository_is_fetched(
    safe: Safe, server: GitServer, mirrors: Mirrors, tmp_path: Path
) -> None:
    project = await stored(safe, server)
    credential = await safe.credentials().for_git(project)
    snapshot = await mirrors.fetch(
        "p", server.url, commit_of(tmp_path), ref="refs/heads/main", credential=credential
    )
    assert {e.path for e in await snapshot.entries()} == {"README.md", "large"}
    assert server.seen[-1] == server.demanded


async def test_the_secret_is_in_no_command_line_and_stays_in_no_file(
    safe: Safe, server: GitServer, mirrors: Mirrors, tmp_path: Path
) -> None:
    project = await stored(safe, server)
    credential = await safe.credentials().for_git(project)
    server.stall_after = 64 * 1024
    fetching = asyncio.create_task(
        mirrors.fetch(
            "p", server.url, commit_of(tmp_path), ref="refs/heads/main", credential=credential
        )
    )
    async with asyncio.timeout(10):
        await server.stalled.wait()
    root = tmp_path / "mirrors"
    lines = await eventually(lambda: command_lines(root))
    assert any("fetch" in line for line in lines)
    assert credential is not None
    for secret in (SECRET, credential.basic):
        assert not [line for line in lines if secret in line]
    # That it can be seen at all: it goes by the environment, which only its owner may read.
    assert any(credential.basic in value for p in git_below(root) for value in p.environ().values())
    server.released.set()
    await fetching
    for path in root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            assert credential.basic.encode() not in content, path


async def test_a_refused_secret_is_not_in_the_error(
    safe: Safe, server: GitServer, mirrors: Mirrors, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    project = await stored(safe, server, "wr0ng-secret")
    credential = await safe.credentials().for_git(project)
    with pytest.raises(SwitchyardError) as refused:
        await mirrors.fetch(
            "p", server.url, commit_of(tmp_path), ref="refs/heads/main", credential=credential
        )
    assert credential is not None
    for text in (str(refused.value), repr(refused.value), caplog.text):
        assert "wr0ng-secret" not in text
        assert credential.basic not in text


async def test_nothing_is_sent_over_a_certificate_that_nobody_vouches_for(
    safe: Safe, server: GitServer, mirrors: Mirrors, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("GIT_SSL_CAINFO")
    project = await stored(safe, server)
    credential = await safe.credentials().for_git(project)
    with pytest.raises(SwitchyardError, match="certificate"):
        await mirrors.fetch(
            "p", server.url, commit_of(tmp_path), ref="refs/heads/main", credential=credential
        )
    assert server.seen == []
