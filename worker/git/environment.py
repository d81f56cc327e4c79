"""The environment that git runs in: nothing inherited but what is listed, nothing in argv."""

import base64
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

MAX_SHOWN = 2000

_PASSED_ON = (
    "PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
)
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_UNPRINTABLE = re.compile(r"[^\S\n]|[\x00-\x09\x0b-\x1f\x7f]")

# Incoming objects are not fsck'ed: trees are never written to a disk, which is what those checks
# protect, and they refuse many honest old repositories. Hashes are verified all the same.
# Everything arrives as a pack (unpackLimit 1), because a pack appears whole or not at all, while
# loose objects cut short by a crash leave a commit without its tree.
_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "protocol.version": "2",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.unpackLimit": "1",
    "fetch.writeCommitGraph": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "transfer.fsckObjects": "false",
    "transfer.bundleURI": "false",
    "credential.helper": "",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
}


@dataclass(frozen=True)
class Credential:
    """What proves access to a repository over HTTPS. GitHub tokens go with `x-access-token`."""

    username: str
    secret: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of HTTP basic authentication, without the word Basic."""
        return base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()


def git_environment(
    repository: Path,
    protocols: Sequence[str] = (),
    url: str = "",
    credential: Credential | None = None,
) -> dict[str, str]:
    """Variables for one git process on `repository`; no protocol at all unless given."""
    config = dict(_CONFIG)
    if credential:
        config[_header_key(url)] = f"Authorization: Basic {credential.basic}"
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "HOME": "/nonexistent",
        "LANG": "C",
        "LC_ALL": "C",
        "GIT_DIR": str(repository),
        "GIT_ALLOW_PROTOCOL": ":".join(protocols) or "none",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_NO_REPLACE_OBJECTS": "1",
        **_config_variables(config),
    }


def _header_key(url: str) -> str:
    parts = urlsplit(url)
    return f"http.{parts.scheme}://{parts.netloc}/.extraHeader"


def _config_variables(config: Mapping[str, str]) -> dict[str, str]:
    variables = {"GIT_CONFIG_COUNT": str(len(config))}
    for index, (key, value) in enumerate(config.items()):
        variables[f"GIT_CONFIG_KEY_{index}"] = key
        variables[f"GIT_CONFIG_VALUE_{index}"] = value
    return variables


def presentable(stderr: bytes, credential: Credential | None = None) -> str:
    """What git said, fit for an error: no secret, no userinfo, no control codes, at most 2 kB."""
    text = stderr.decode(errors="replace")
    for secret in _spellings(credential):
        text = text.replace(secret, "***")
    text = _UNPRINTABLE.sub(" ", _USERINFO.sub("***@", text)).strip()
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _spellings(credential: Credential | None) -> list[str]:
    if credential is None or not credential.secret:
        return []
    return [credential.basic, credential.secret, quote(credential.secret, safe="")]
