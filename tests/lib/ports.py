"""Ports that nobody else takes between being chosen and being listened on."""
import fcntl
import os
import random
import socket

# Below what the kernel gives to connect() and to port 0, and below the ports
# that the spawner picks for servers (spawner/launch.c), so that only another
# test can want the same one; the lock keeps that one away.
FIRST, LAST = 10000, 19999
LEASES = "/tmp/carrelt-ports"
_held = []  # descriptors, locked until this program ends


def _lease(port):
    fd = os.open(os.path.join(LEASES, str(port)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as s:
            s.bind(("127.0.0.1", port))
    except OSError:
        os.close(fd)
        return False
    _held.append(fd)
    return True


def free_port():
    """A port of 127.0.0.1, this program's until it ends."""
    old = os.umask(0)
    try:
        os.makedirs(LEASES, mode=0o777, exist_ok=True)
        while True:
            port = random.SystemRandom().randint(FIRST, LAST)
            if _lease(port):
                return port
    finally:
        os.umask(old)
