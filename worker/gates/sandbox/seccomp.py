"""A filter of system calls: what no check needs, and what kernels have been broken into through."""

import os
import platform
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from errno import ENOSYS, EPERM

# Terminal requests that put characters into somebody else's input.
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
# The other number space of x86-64, which would go around a list of numbers.
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _MACHINE_AT, _SECOND_ARGUMENT_AT = 0, 4, 24
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000


@dataclass(frozen=True)
class Machine:
    """How the kernel knows an architecture, and its numbers of what is refused."""

    audit: int
    ioctl: int
    refused: Sequence[int]


# The same on every machine: io_uring_*, open_tree, move_mount, fs*, mount_setattr.
_COMMON = (425, 426, 427, 428, 429, 430, 431, 432, 433, 442)
# syslog, pivot_root, acct, mount, umount2, swapon, swapoff, reboot, init_module, delete_module,
# quotactl, kexec_load, add_key, request_key, keyctl, unshare, perf_event_open, open_by_handle_at,
# setns, finit_module, kexec_file_load, bpf, userfaultfd
_X86_64 = (103, 155, 163, 165, 166, 167, 168, 169, 175, 176, 179, 246, 248, 249, 250, 272, 298,
           304, 308, 313, 320, 321, 323)  # fmt: skip
_AARCH64 = (116, 41, 89, 40, 39, 224, 225, 142, 105, 106, 60, 104, 217, 218, 219, 97, 241, 265,
            268, 273, 294, 280, 282)  # fmt: skip
MACHINES = {
    "x86_64": Machine(0xC000003E, 16, (*_X86_64, *_COMMON)),
    "aarch64": Machine(0xC00000B7, 29, (*_AARCH64, *_COMMON)),
}


def open_filter() -> int | None:
    """A descriptor to read the filter of this machine from; None where none is known."""
    machine = MACHINES.get(platform.machine())
    if machine is None:
        return None
    descriptor = os.memfd_create("seccomp", 0)
    os.write(descriptor, b"".join(_program(machine)))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _program(machine: Machine) -> Iterator[bytes]:
    yield _step(_LOAD, _MACHINE_AT)
    yield _step(_EQUAL, machine.audit, 1, 0)
    yield _step(_RETURN, _ERROR | ENOSYS)
    yield _step(_LOAD, _NUMBER_AT)
    yield from _refuse_if(_AT_LEAST, _X32)
    for number in machine.refused:
        yield from _refuse_if(_EQUAL, number)
    yield _step(_EQUAL, machine.ioctl, 1, 0)
    yield _step(_RETURN, _ALLOW)
    yield _step(_LOAD, _SECOND_ARGUMENT_AT)
    yield from _refuse_if(_EQUAL, _TIOCSTI)
    yield from _refuse_if(_EQUAL, _TIOCLINUX)
    yield _step(_RETURN, _ALLOW)


def _refuse_if(comparison: int, value: int) -> Iterator[bytes]:
    yield _step(comparison, value, 0, 1)
    yield _step(_RETURN, _ERROR | EPERM)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
