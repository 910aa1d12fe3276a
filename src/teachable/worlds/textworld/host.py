"""``python -m teachable.worlds.textworld.host FD``: runs Z-machines for one client, each in a process of its own.

The interpreter (frotz, through Jericho) is a C library that ends its process on trouble and cannot be
interrupted, so it must not live where the experiment does. This process imports Jericho once and forks for
every machine a client asks for; a machine serves its socket until the client hangs up. Before each turn it
sets an alarm whose default action kills it, so a machine that hangs dies by itself.

Messages, both ways: one byte (kind), four bytes (length, big-endian), payload.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import warnings
from typing import Any

OPEN, SEND, SAVE, RESTORE = b"O", b"S", b"G", b"R"  # requests
TEXT, IMAGE, DONE, ERROR = b"t", b"i", b"d", b"e"  # replies
SEED = 1234  # of the interpreter's random numbers

_HEAD = struct.Struct(">cI")
_IMAGE = struct.Struct("<10q")  # pc, sp, fp, frame count, opcode, three numbers of the generator, two lengths


def send(connection: socket.socket, kind: bytes, payload: bytes = b"") -> None:
    """Send one message."""
    connection.sendall(_HEAD.pack(kind, len(payload)) + payload)


def receive(connection: socket.socket) -> tuple[bytes, bytes]:
    """One message: (kind, payload). Raises ``EOFError`` when the other side hung up."""
    kind, length = _HEAD.unpack(_exactly(connection, _HEAD.size))
    return kind, _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = connection.recv(min(count, 1 << 16))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def pack(state: tuple[Any, ...]) -> bytes:
    """Jericho's state tuple as bytes."""
    ram, stack, pc, sp, fp, frames, opcode, generator, narrative = state
    head = _IMAGE.pack(pc, sp, fp, frames, opcode, *map(int, generator), ram.size, stack.size)
    return head + ram.tobytes() + stack.tobytes() + narrative


def unpack(image: bytes) -> tuple[Any, ...]:
    """The inverse of :func:`pack`."""
    import numpy as np

    pc, sp, fp, frames, opcode, a, b, c, ram, stack = _IMAGE.unpack_from(image)
    start = _IMAGE.size
    return (
        np.frombuffer(image, np.uint8, ram, start).copy(),
        np.frombuffer(image, np.uint8, stack, start + ram).copy(),
        *(pc, sp, fp, frames, opcode, (a, b, c), image[start + ram + stack :]),
    )


def serve(connection: socket.socket) -> None:
    """Be one machine until the client hangs up."""
    import jericho

    machine: Any = None
    limit = 0.0
    while True:
        try:
            kind, payload = receive(connection)
        except (EOFError, OSError):
            return
        try:
            if kind == OPEN:
                limit = struct.unpack(">d", payload[:8])[0]
                signal.setitimer(signal.ITIMER_REAL, limit)
                machine = jericho.FrotzEnv(payload[8:].decode(), seed=SEED)
                reply = TEXT, machine.reset()[0].encode()
            elif kind == SEND:
                signal.setitimer(signal.ITIMER_REAL, limit)
                reply = TEXT, machine.step(payload.decode())[0].encode()
            elif kind == SAVE:
                reply = IMAGE, pack(machine.get_state())
            else:
                machine.set_state(unpack(payload))
                reply = DONE, b""
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Exception as error:  # told to the client, who knows the task
            reply = ERROR, f"{type(error).__name__}: {error}".encode()
        send(connection, *reply)


def main() -> int:
    """Fork a machine for every socket that arrives on the control socket; end when the client ends."""
    import jericho  # noqa: F401  (once, before the forks)

    warnings.simplefilter("ignore")  # our games are not in Jericho's list of supported ones
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the client's business; its end is ours
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the dead
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return 0
        if os.fork() == 0:
            control.close()
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            serve(socket.socket(fileno=descriptors[0]))
            os._exit(0)
        os.close(descriptors[0])


if __name__ == "__main__":
    sys.exit(main())
