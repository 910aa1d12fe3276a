"""Java machines under worlds: found, started, called and ended, with one sentence where that fails.

A process starts at most one machine per jar and options, on first use, and all its sessions share it. A machine that
hangs or dies is an :class:`EngineFault` for the call that met it; the next call starts another, and sessions come back
by replay.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from functools import reduce
from importlib import metadata
from pathlib import Path
from typing import Any

from teachable.worlds.base import EngineFault, WorldError

_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m")  # short lives, one core, many processes


def find_java(world: str) -> str:
    """The path of the ``java`` program: ``$JAVA_HOME/bin``, then the search path.

    Raises :class:`WorldError` with the remedy where there is none.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        found = shutil.which("java", path=str(Path(home) / "bin"))
        if found is None:
            raise WorldError(
                f"world {world!r} needs Java, and JAVA_HOME is {home}, where there is no bin/java: correct or unset it."
            )
        return found
    found = shutil.which("java")
    if found is None:
        raise WorldError(
            f"world {world!r} needs Java, which is not on the search path: install it with "
            "`sudo apt-get install default-jre-headless` (or your system's package of Java 17)."
        )
    return found


def require(world: str, package: str) -> None:
    """Raise :class:`WorldError`, with the remedy, unless the distribution ``package`` and Java are installed."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        raise WorldError(
            f"world {world!r} needs the package {package}, which is not installed: "
            f"`pip install 'teachable-moments[{package}]'`."
        ) from None
    find_java(world)


class Machine:
    """One running Java machine; ``limit_s`` is the longest that one call may take, in seconds.

    ``options`` are of the ``java`` program, after those that every machine has; the later of two holds.
    """

    def __init__(self, world: str, jar: Path, limit_s: float, options: tuple[str, ...] = ()) -> None:
        from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

        java = find_java(world)
        self._world, self._limit = world, limit_s
        self.pid = os.getpid()
        self.alive = True
        self.shared: dict[str, Any] = {}  # what the engines on this machine have in common; for them to use
        try:
            port, token, self.process = launch_gateway(
                classpath=str(jar),
                javaopts=[*_OPTIONS, *options],
                java_path=java,
                cwd=str(jar.parent),  # where it looks for its data
                die_on_exit=True,
                return_proc=True,
                enable_auth=True,
            )
        except Exception as error:  # py4j raises many kinds for a program that says nothing useful
            raise EngineFault(f"world {world!r}: {java} does not start ({type(error).__name__}: {error}).") from error
        wanted = GatewayParameters(port=port, auth_token=token, read_timeout=limit_s)
        self._gateway = JavaGateway(gateway_parameters=wanted, java_process=self.process)
        atexit.register(self.close)

    def make(self, name: str) -> Any:
        """A new object of the class called ``name`` in full, by its constructor without arguments."""
        return self.call(lambda: reduce(getattr, name.split("."), self._gateway.jvm)())

    def single(self, name: str) -> Any:
        """The one instance of the Scala ``object`` called ``name`` in full."""
        return self.call(lambda: getattr(reduce(getattr, f"{name}$".split("."), self._gateway.jvm), "MODULE$"))

    def array(self, name: str, size: int) -> Any:
        """A new array of ``size`` nulls of the class called ``name`` in full."""
        return self.call(lambda: self._gateway.new_array(reduce(getattr, name.split("."), self._gateway.jvm), size))

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What ``function`` of the machine answers. Raises :class:`EngineFault`; a hung machine is ended."""
        from py4j.protocol import Py4JError, Py4JJavaError

        if not self.alive:
            raise EngineFault(f"the Java machine of world {self._world!r} has ended.")
        began = time.monotonic()
        try:
            return function(*arguments)
        except Py4JJavaError as error:  # the program threw; the machine is well
            said = str(error.java_exception).splitlines()[0]
            raise EngineFault(f"the engine failed: {said}") from error
        except (Py4JError, OSError) as error:  # py4j does not say which of the three it was
            if time.monotonic() - began >= self._limit:
                trouble = f"did not answer within {self._limit:g} s and was stopped"
            elif self._ended():
                trouble = "ended unexpectedly"
            else:
                trouble = f"was asked for what it has not: {' '.join(str(error).split())[:300]}"
            self.close()
            raise EngineFault(f"the Java machine of world {self._world!r} {trouble}.") from error

    def _ended(self) -> bool:
        """Whether the process has ended, which shows a moment after its connection has."""
        try:
            self.process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """End the machine; closing twice, or in a forked process, is harmless."""
        if not self.alive or self.pid != os.getpid():
            return
        self.alive = False
        atexit.unregister(self.close)
        with contextlib.suppress(Exception):
            self._gateway.close()
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)


_machines: dict[tuple[Path, float, tuple[str, ...]], Machine] = {}
_lock = threading.Lock()


def connect(world: str, jar: Path, limit_s: float, options: tuple[str, ...] = ()) -> Machine:
    """This process's machine for ``jar``; a new one where it died, or belongs to the process this was forked from."""
    key = (jar, limit_s, options)
    with _lock:
        machine = _machines.get(key)
        if machine is None or not machine.alive or machine.pid != os.getpid():
            machine = _machines[key] = Machine(world, jar, limit_s, options)
        return machine
