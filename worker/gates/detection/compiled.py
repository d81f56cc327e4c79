"""Checks of Go modules and Rust crates: their toolchains bring them along."""

from worker.gates.detection.data import table_in, text, toml_table
from worker.gates.detection.found import Detection, Found, Missing
from worker.gates.detection.tools import asked
from worker.gates.files import Files
from worker.gates.model import Command, GateType

MAX_FILES_READ = 200
_GOLANGCI = (".golangci.yml", ".golangci.yaml", ".golangci.toml", ".golangci.json")
_GO: dict[GateType, tuple[str, ...]] = {
    "unit-tests": ("go", "test", "./..."),
    "type-check": ("go", "build", "-o", "/dev/null", "./..."),
    "lint": ("go", "vet", "./..."),
}
_CARGO: dict[GateType, tuple[str, ...]] = {
    "unit-tests": ("cargo", "test", "--no-fail-fast"),
    "integration-tests": ("cargo", "test", "--no-fail-fast", "--test", "*"),
    "type-check": ("cargo", "check"),
    "lint": ("cargo", "clippy"),
}


def find_go(files: Files, gate: GateType) -> Detection:
    """What Go's own tools check in the module at the root."""
    if not files.is_file("go.mod"):
        return Missing()
    words, source = _GO.get(gate), "go.mod"
    if gate == "lint":
        own = next((name for name in _GOLANGCI if files.is_file(name)), None)
        words, source = (("golangci-lint", "run"), own) if own else (words, source)
    if gate == "integration-tests" and _has_integration_tag(files):
        words, source = ("go", "test", "-tags=integration", "./..."), "build tag integration"
    return Found(asked(Command(words, "", source), words)) if words else Missing()


def _has_integration_tag(files: Files) -> bool:
    paths = [path for path in files.walk("", 5) if path.endswith("_test.go")][:MAX_FILES_READ]
    heads = ((text(files, path) or "")[:2_000] for path in paths)
    return any("//go:build integration\n" in head for head in heads)


def find_cargo(files: Files, gate: GateType) -> Detection:
    """What Cargo checks in the crate or workspace at the root."""
    manifest = toml_table(files, "Cargo.toml")
    if manifest is None:
        broken = files.is_file("Cargo.toml")
        return Missing("Cargo.toml is not valid TOML" if broken else "")
    if gate == "integration-tests" and not _has_integration_tests(files):
        return Missing()
    everything = ("--workspace",) if table_in(manifest, "workspace") else ()
    words = (*_CARGO[gate][:2], *everything, *_CARGO[gate][2:])
    return Found(asked(Command(words, "", "Cargo.toml"), words))


def _has_integration_tests(files: Files) -> bool:
    return any(name.endswith(".rs") for name in files.names("tests"))
