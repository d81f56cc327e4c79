"""What the fake GitHub answers to whom, once the limits let a request through."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yarl import URL

from tests.github.fake import checks
from tests.github.fake.access import Caller
from tests.github.fake.state import Company, Hook, Refusal, Repository

_GRANT = {"check-runs": "checks", "statuses": "statuses", "hooks": "hooks"}
Answer = tuple[Any, int]


@dataclass
class Call:
    """A request; `headers` are those of its answer."""

    company: Company
    who: Caller
    method: str
    url: URL
    body: Any
    headers: dict[str, str]

    @property
    def parts(self) -> list[str]:
        """The path's parts."""
        return self.url.path.strip("/").split("/")

    @property
    def query(self) -> Mapping[str, str]:
        """The query."""
        return self.url.query


def answer(call: Call) -> Answer:
    """The answer and its status. Raises a refusal."""
    match call.parts:
        case ["app", *rest]:
            return _app(call, rest)
        case ["repos", owner, name, *rest]:
            repository = call.company.repository(f"{owner}/{name}")
            if repository.renamed_to is not None:
                path = "/".join(["", "repos", repository.renamed_to, *rest])
                call.headers["Location"] = str(call.url.with_path(path))
                return {"message": "Moved Permanently"}, 307
            return _repository(call, repository, rest)
    raise Refusal(404, "Not Found")


def _app(call: Call, parts: list[str]) -> Answer:
    app = call.who.must_be_app()
    match parts:
        case ["installations", number, "access_tokens"] if int(number) in app.installations:
            token = call.company.new_token(int(number), call.body)
            end = token.expires_at.isoformat(timespec="seconds").replace("+00:00", "Z")
            return {"token": token.text, "expires_at": end}, 201
        case ["hook", "config"]:
            return {"url": app.hook.url}, 200
        case ["hook", "deliveries", *rest]:
            return _deliveries(call, app.hook, rest)
    raise Refusal(404, "Not Found")


def _repository(call: Call, repository: Repository, parts: list[str]) -> Answer:
    if parts == ["installation"]:
        if repository.installation not in call.who.must_be_app().installations:
            raise Refusal(404, "Not Found")
        return {"id": repository.installation}, 200
    kind = parts[2] if parts[:1] == ["commits"] else (parts or ["metadata"])[0]
    level = "read" if call.method == "GET" else "write"
    call.who.must_reach(repository, _GRANT.get(kind, kind), level)
    return (_read if call.method == "GET" else _write)(call, repository, parts)


def _read(call: Call, repository: Repository, parts: list[str]) -> Answer:
    match parts:
        case []:
            return {"id": repository.id, "full_name": repository.name}, 200
        case ["check-runs", number]:
            return _run(repository, number), 200
        case ["commits", sha, "check-runs"]:
            found = [r for r in repository.runs(call.query["check_name"]) if r["head_sha"] == sha]
            return {"total_count": len(found), "check_runs": found[::-1]}, 200
        case ["commits", sha, "statuses"]:
            return repository.statuses.get(sha, [])[:100], 200
        case ["hooks"]:
            hooks = repository.hooks.values()
            return [{"id": h.id, "config": {"url": h.url}} for h in hooks], 200
        case ["hooks", number, "deliveries"]:
            return _deliveries(call, repository.hooks[int(number)], [])
    raise Refusal(404, "Not Found")


def _write(call: Call, repository: Repository, parts: list[str]) -> Answer:
    match call.method, parts:
        case "POST", ["check-runs"]:
            return checks.create_check_run(repository, call.body), 201
        case "PATCH", ["check-runs", number]:
            return checks.update_check_run(_run(repository, number), call.body), 200
        case "POST", ["statuses", sha]:
            return checks.create_status(repository, sha, call.body), 201
        case "POST", ["hooks", number, "deliveries", *rest]:
            return _deliveries(call, repository.hooks[int(number)], rest)
    raise Refusal(404, "Not Found")


def _run(repository: Repository, number: str) -> dict[str, Any]:
    run = repository.check_runs.get(int(number))
    if run is None:
        raise Refusal(404, "Not Found")
    return run


def _deliveries(call: Call, hook: Hook, rest: list[str]) -> Answer:
    if call.method == "POST":
        hook.redeliver(int(rest[0]))
        return None, 202
    start, size = int(call.query.get("cursor", "0")), int(call.query.get("per_page", "30"))
    if start + size < len(hook.deliveries):
        following = call.url.update_query(cursor=str(start + size))
        call.headers["Link"] = f'<{following}>; rel="next"'
    return hook.deliveries[start : start + size], 200
