"""What a command sees and can change: its tree, and nothing else of this machine."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gates.sandbox.conftest import LIMITS, RunPython, said
from worker.gates.sandbox import Sandbox
from worker.gates.sandbox.seccomp import MACHINES

SECRET = "canary-3b1f0c77"
# Prints everything that this process can find out about any process's environment.
SNOOP = """
import glob, os
print(dict(os.environ))
for kind in ("environ", "cmdline", "maps"):
    for name in glob.glob(f"/proc/[0-9]*/{kind}"):
        try:
            print(name, open(name, "rb").read())
        except OSError as error:
            print(name, error)
"""
# Opens each path given for writing, without writing; a directory is tried with a new file.
WRITE = """
import os, sys
for path in sys.argv[1:]:
    target = path + "/canary" if os.path.isdir(path) else path
    flags = os.O_WRONLY | (os.O_CREAT if os.path.isdir(path) else 0)
    try:
        os.close(os.open(target, flags))
        print("WRITABLE", path)
    except OSError as error:
        print("refused", path, error.strerror)
"""
READ = """
import sys
for path in sys.argv[1:]:
    try:
        print(open(path).read())
    except OSError as error:
        print("refused", path, error.strerror)
"""
PRIVILEGES = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, *arguments):
    done = getattr(libc, name)(*arguments)
    print(name, "DONE" if done == 0 else errno.errorcode[ctypes.get_errno()])
attempt("mount", b"none", b"/tmp", b"tmpfs", 0, None)
attempt("umount2", b"/proc", 2)
attempt("unshare", 0x10000000)
attempt("unshare", 0x00020000)
attempt("setuid", 0)
attempt("chroot", b"/tmp")
attempt("mknod", b"/tmp/disk", 0o060600, 0x0800)
attempt("mknod", b"/tmp/memory", 0o020600, 0x0101)
attempt("sethostname", b"x", 1)
attempt("reboot", 0)
status = open("/proc/self/status").read()
print([line.split()[1] for line in status.splitlines() if line.startswith(("Cap", "NoNewPrivs"))])
"""


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "outside" / "secret"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path


async def test_secrets_of_the_environment_are_not_seen(
    python: RunPython, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    text = said(await python(SNOOP))
    assert "/proc/1/environ" in text
    assert SECRET not in text
    assert "GITHUB_TOKEN" not in text


async def test_the_environment_is_what_was_given(python: RunPython) -> None:
    code = "import os; print(sorted(os.environ))"
    text = said(await python(code, environment={"ASKED_FOR": "1"}))
    assert text == "['ASKED_FOR', 'CI', 'HOME', 'LANG', 'PATH', 'PWD', 'TERM', 'TMPDIR']\n"


async def test_only_the_tree_and_private_places_are_writable(
    python: RunPython, tree: Path, secret_file: Path
) -> None:
    system = ("/", "/usr", "/usr/bin", "/etc", "/etc/passwd", "/dev", "/home", "/proc/sys/kernel",
              "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/bin/sh",
              str(secret_file), sys.base_prefix)  # fmt: skip
    assert "WRITABLE" not in said(await python(WRITE, *system))
    own = ("/checkout", "/tmp", "/home/runner", "/dev/shm", "/dev/null")
    assert said(await python(WRITE, *own)).count("WRITABLE") == len(own)
    assert [path.name for path in tree.iterdir()] == ["canary"]


async def test_private_places_are_fresh_in_every_run(python: RunPython) -> None:
    places = ("/tmp", "/home/runner", "/dev/shm")
    said(await python(WRITE, *places))
    listing = "import os, sys; print([os.listdir(path) for path in sys.argv[1:]])"
    assert said(await python(listing, *places)) == "[[], [], []]\n"


async def test_links_out_of_the_tree_lead_nowhere(
    python: RunPython, tree: Path, secret_file: Path
) -> None:
    (tree / "file").symlink_to(secret_file)
    (tree / "directory").symlink_to(secret_file.parent)
    (tree / "root").symlink_to("/")
    (tree / "climbing").symlink_to("../../outside/secret")
    read = said(await python(READ, "file", "directory/secret", "climbing", f"root{secret_file}"))
    assert SECRET not in read
    assert read.count("refused") == 4
    assert "WRITABLE" not in said(await python(WRITE, "file", "directory", "climbing"))
    assert secret_file.read_text() == SECRET
    assert [path.name for path in secret_file.parent.iterdir()] == ["secret"]


async def test_mirrors_and_other_scratches_are_not_there(
    python: RunPython, tree: Path, tmp_path: Path
) -> None:
    other = tmp_path / "scratch" / "other" / "tree"
    mirror = tmp_path / "mirrors" / "p" / "current"
    for place in (other, mirror):
        place.mkdir(parents=True)
        (place / "HEAD").write_text(SECRET)
    read = said(await python(READ, f"{other}/HEAD", f"{mirror}/HEAD", "../other/tree/HEAD"))
    assert SECRET not in read
    assert "WRITABLE" not in said(await python(WRITE, str(other), str(mirror)))


async def test_what_is_readable_cannot_be_changed(
    one_sandbox: Sandbox, tree: Path, secret_file: Path
) -> None:
    script = f'cat "{secret_file}"; echo changed > "{secret_file}" || echo refused'
    ran = await one_sandbox.run(
        ["sh", "-c", script], tree=tree, environment={}, network=False,
        limits=LIMITS, readable=[secret_file.parent],
    )  # fmt: skip
    assert ran.output.decode().startswith(SECRET)
    assert ran.output.decode().endswith("refused\n")
    assert secret_file.read_text() == SECRET


async def test_hard_links_into_the_system_are_refused(python: RunPython, tree: Path) -> None:
    code = """
import os
for source in ("/etc/passwd", "/bin/sh", "/etc/hosts", "/proc/1/environ"):
    try:
        os.link(os.path.realpath(source), "/checkout/linked")
        print("LINKED", source)
    except OSError as error:
        print("refused", error.strerror)
"""
    assert "LINKED" not in said(await python(code))
    assert list(tree.iterdir()) == []


async def test_there_are_no_privileges_to_be_had(python: RunPython) -> None:
    text = said(await python(PRIVILEGES))
    assert "DONE" not in text
    *capabilities, no_new = text.splitlines()[-1].strip("[]").replace("'", "").split(", ")
    assert set(capabilities) == {"0000000000000000"}
    assert no_new == "1"


@pytest.mark.skipif(platform.machine() not in MACHINES, reason="no filter for this machine")
async def test_no_further_user_namespace_can_be_made(python: RunPython) -> None:
    """Neither the filter nor the limit alone: `clone` is a call that everybody needs."""
    code = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
made = libc.syscall(int(sys.argv[1]), 0x10000000 | 17, 0, 0, 0, 0)
if made == 0:
    os._exit(0)
print("MADE" if made > 0 else errno.errorcode[ctypes.get_errno()])
"""
    number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    assert said(await python(code, str(number))) in {"ENOSPC\n", "EPERM\n"}


@pytest.mark.skipif(platform.machine() not in MACHINES, reason="no filter for this machine")
async def test_system_calls_that_no_check_needs_are_refused(python: RunPython) -> None:
    code = """
import ctypes, errno, fcntl, os, pty, sys, termios
libc = ctypes.CDLL(None, use_errno=True)
for number in map(int, sys.argv[1:]):
    done = libc.syscall(number, 0, 0, 0, 0, 0)
    print(number, "DONE" if done >= 0 else errno.errorcode[ctypes.get_errno()])
_, own = pty.openpty()
for request in (termios.TIOCSTI, 0x541C):
    try:
        fcntl.ioctl(own, request, b"x")
        print("TYPED")
    except OSError as error:
        print(request, errno.errorcode[error.errno])
print(termios.tcgetattr(own) != [])
print([line for line in open("/proc/self/status") if line.startswith("Seccomp:")])
"""
    refused = MACHINES[platform.machine()].refused
    text = said(await python(code, *map(str, refused)))
    assert text.count("EPERM") == len(refused) + 2
    assert "DONE" not in text
    assert "TYPED" not in text
    assert text.endswith("True\n['Seccomp:\\t2\\n']\n")


async def test_a_setuid_program_gives_no_rights(python: RunPython, tree: Path) -> None:
    code = """
import os, shutil, subprocess
shutil.copy("/usr/bin/id", "/checkout/id")
os.chmod("/checkout/id", 0o6755)
print(subprocess.run(["/checkout/id"], capture_output=True, text=True).stdout)
print(subprocess.run(["su", "-c", "id"], capture_output=True, text=True, input="").returncode)
"""
    lines = said(await python(code)).split("\n")
    assert lines[0].startswith("uid=1000(runner) gid=1000(runner) groups=")
    assert "euid" not in lines[0]
    assert lines[-2] != "0"
    assert (tree / "id").stat().st_uid != 0 or os.geteuid() != 0


async def test_a_run_is_never_the_user_root(python: RunPython, tree: Path) -> None:
    said(await python("open('mine', 'w').close()"))
    assert (tree / "mine").stat().st_uid == (os.geteuid() or 65534)


async def test_processes_of_the_machine_cannot_be_reached(python: RunPython) -> None:
    code = """
import ctypes, os, signal, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])
print("seen", os.path.exists(f"/proc/{pid}"))
print("ptrace", libc.ptrace(16, pid, None, None))
try:
    os.kill(pid, signal.SIGKILL)
except OSError as error:
    print(error.strerror)
print(sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())[0])
child = subprocess.Popen(["sleep", "30"])
os.kill(-1, signal.SIGKILL)
print(child.wait())
"""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as bystander:  # noqa: ASYNC220
        try:
            ran = await python(code, str(bystander.pid))
            assert bystander.poll() is None
        finally:
            bystander.kill()
    text = said(ran)
    assert text == "seen False\nptrace -1\nNo such process\n1\n-9\n"


async def test_devices_are_the_harmless_ones(python: RunPython) -> None:
    text = said(await python("import os; print(sorted(os.listdir('/dev')))"))
    harmless = {"console", "core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr",
                "stdin", "stdout", "tty", "urandom", "zero"}  # fmt: skip
    assert set(text.strip("[]\n").replace("'", "").split(", ")) <= harmless


async def test_names_like_options_are_names(one_sandbox: Sandbox, tree: Path) -> None:
    (tree / "--bind").mkdir()
    (tree / "--bind" / "-rf").write_text("kept")
    for argv in (["cat", "--", "-rf"], ["sh", "-c", "cat ./*"]):
        ran = await one_sandbox.run(
            argv, tree=tree, directory="--bind", environment={"--setenv": "--unshare-net"},
            network=False, limits=LIMITS,
        )  # fmt: skip
        assert said(ran) == "kept"
    ran = await one_sandbox.run(
        ["--version"], tree=tree, environment={}, network=False, limits=LIMITS
    )
    assert ran.exit_code == 127


@pytest.mark.parametrize("directory", ["..", "a/../..", "/etc"])
async def test_a_directory_outside_the_tree_is_refused(
    one_sandbox: Sandbox, tree: Path, directory: str
) -> None:
    with pytest.raises(ValueError, match="not a directory of the tree"):
        await one_sandbox.run(
            ["true"], tree=tree, directory=directory, environment={}, network=False,
            limits=LIMITS,
        )  # fmt: skip


async def test_a_directory_that_is_a_link_stays_inside(python: RunPython, tree: Path) -> None:
    (tree / "out").symlink_to("/etc")
    code = "import os; os.chdir('out'); print(sorted(os.listdir())[:2], os.path.exists('shadow'))"
    assert said(await python(code)).endswith("False\n")


async def test_no_descriptor_is_inherited(python: RunPython, secret_file: Path) -> None:
    with secret_file.open() as held:
        os.set_inheritable(held.fileno(), True)
        text = said(await python("import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"))
    assert text == "[0, 1, 2, 3]\n"
