"""Check runs and statuses at the fake GitHub, with the rules for what may be written."""

from typing import Any

from tests.github.fake.state import Refusal, Repository, new_number

MOST_ANNOTATIONS = 50
MOST_BYTES = 65_535
MOST_STATUSES = 1000
CONCLUSIONS = {
    "success", "failure", "neutral", "cancelled", "timed_out", "skipped", "action_required",
}  # fmt: skip


def create_check_run(repository: Repository, body: dict[str, Any]) -> dict[str, Any]:
    """POST check-runs."""
    _must_know(repository, body.get("head_sha"))
    if not body.get("name"):
        raise Refusal(422, "Invalid request", ["name is missing"])
    run: dict[str, Any] = {
        "id": new_number(), "name": body["name"], "head_sha": body["head_sha"],
        "external_id": "", "status": "queued", "conclusion": None, "started_at": None,
        "output": {"title": None, "summary": None, "text": None, "annotations_count": 0},
        "annotations": [],
    }  # fmt: skip
    _write(run, body)
    repository.check_runs[run["id"]] = run
    return run


def update_check_run(run: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """PATCH check-runs/id."""
    if run["status"] == "completed" and body.get("status", "completed") != "completed":
        raise Refusal(422, "Validation Failed", ["a completed check run is not reopened"])
    _write(run, body)
    return run


def create_status(repository: Repository, sha: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST statuses/sha."""
    _must_know(repository, sha)
    if body.get("state") not in {"pending", "success", "failure", "error"}:
        raise Refusal(422, "Validation Failed", ["state is not included in the list"])
    if len(body.get("description") or "") > 140:
        raise Refusal(422, "Validation Failed", ["description is too long (maximum is 140)"])
    there = repository.statuses.setdefault(sha, [])
    if sum(s["context"] == body["context"] for s in there) >= MOST_STATUSES:
        raise Refusal(422, "This SHA and context has reached the maximum number of statuses.")
    status = {"id": new_number(), **body}
    there.insert(0, status)
    return status


def _must_know(repository: Repository, sha: object) -> None:
    if sha not in repository.commits:
        raise Refusal(422, f"No commit found for SHA: {sha}")


def _write(run: dict[str, Any], body: dict[str, Any]) -> None:
    _check_state(body)
    output = body.get("output")
    annotations = _checked_output(output) if output is not None else []
    for key in ("name", "external_id", "status", "started_at"):
        run[key] = body.get(key, run[key])
    if "conclusion" in body:
        run["status"], run["conclusion"] = "completed", body["conclusion"]
    if output is not None:
        kept = {k: output[k] for k in ("title", "summary", "text") if k in output}
        run["output"] |= kept
        run["annotations"] += annotations
        run["output"]["annotations_count"] = len(run["annotations"])


def _check_state(body: dict[str, Any]) -> None:
    if body.get("status", "queued") not in {"queued", "in_progress", "completed"}:
        raise Refusal(422, "Invalid request", ["status is not a member"])
    if "conclusion" in body and body["conclusion"] not in CONCLUSIONS:
        raise Refusal(422, "Invalid request", ["conclusion is not a member"])
    if body.get("status") == "completed" and "conclusion" not in body:
        raise Refusal(422, "Invalid request", ["a completed check run needs a conclusion"])


def _checked_output(output: dict[str, Any]) -> list[dict[str, Any]]:
    if not output.get("title") or not output.get("summary"):
        raise Refusal(422, "Invalid request", ["title and summary are needed"])
    for key in ("summary", "text"):
        if len((output.get(key) or "").encode()) > MOST_BYTES:
            raise Refusal(422, "Validation Failed", [f"{key} exceeds a maximum bytesize of 65535"])
    annotations: list[dict[str, Any]] = output.get("annotations") or []
    if len(annotations) > MOST_ANNOTATIONS:
        raise Refusal(422, "Invalid request", ["No more than 50 items are allowed"])
    for annotation in annotations:
        _check_annotation(annotation)
    return annotations


def _check_annotation(annotation: dict[str, Any]) -> None:
    path, first, last = (annotation[k] for k in ("path", "start_line", "end_line"))
    fine = path and not path.startswith("/") and 1 <= first <= last and annotation["message"]
    if not fine or annotation["annotation_level"] not in {"notice", "warning", "failure"}:
        raise Refusal(422, "Invalid request", [f"annotation at {path}:{first} is wrong"])
    if "start_column" in annotation and first != last:
        raise Refusal(422, "Invalid request", ["columns are for annotations of one line"])
    if len(annotation.get("title", "")) > 255 or len(annotation["message"].encode()) > 65_536:
        raise Refusal(422, "Invalid request", ["title or message is too long"])
