"""Becomes a child of the stack: `python -I -S launch.py PARENT SIGNAL USER COMMAND…` (standard library only, run as a script).

It asks the kernel for SIGNAL when the parent dies, gives up root for USER (`-` for nobody else) and executes COMMAND.
PostgreSQL refuses to run as root. A stack that root starts runs it as an unprivileged user who keeps one capability:
to reach files whatever their folders' modes say, so that no folder above the data (such as /root) must be opened to others.
"""

import ctypes
import os
import pwd
import signal
import sys

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def give_up_root(libc: ctypes.CDLL, user: str) -> None:
    """Become `user`, keeping CAP_DAC_OVERRIDE (capabilities(7), "Ambient")."""
    entry = pwd.getpwnam(user)
    _checked(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    mask = 1 << _CAP_DAC_OVERRIDE
    sets = (_Sets * 2)(_Sets(mask, mask, mask), _Sets(0, 0, 0))
    _checked(libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), ctypes.byref(sets)))
    _checked(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))


def main() -> None:
    parent, death_signal, user, *command = sys.argv[1:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if user != "-":
            give_up_root(libc, user)
        # After the change of user, which would clear it.
        _checked(libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0))
    if os.getppid() != int(parent):
        sys.exit("the supervisor died before its child began")
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execvp(command[0], command)  # noqa: S606 no shell is wanted


if __name__ == "__main__":
    main()
