"""The ledger: every request with its tokens and cost, and a budget that holds across processes and runs.

Each writer appends JSON lines to a file of its own, ``<cache>/ledger/<host>-<pid>-<random>.jsonl`` (appends
of several machines to one file are not atomic on NFS); the total is over all files. Before a request the most
it can cost is *reserved*; afterwards the reservation is *settled* with what it did cost. A process that dies
leaves its reservation, which goes on counting: the budget is never passed, even where nobody knows whether
the request was billed.
"""

from __future__ import annotations

import json
import logging
import math
import os
import socket
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from teachable.sharing import make_directory, share
from teachable.teacher.errors import BudgetExceeded, TeacherError

log = logging.getLogger(__name__)

_SLACK = 1e-9  # US dollars; sums of floats


class Ledger:
    """One writer's view of the ledger in ``<directory>/ledger``; safe to share between threads."""

    def __init__(self, directory: Path | str, budget_usd: float) -> None:
        self.root = Path(directory)
        self.directory = self.root / "ledger"
        self.budget_usd = budget_usd
        self._own = self.directory / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self._lock = threading.Lock()
        self._offsets: dict[Path, int] = {}  # bytes of each file read so far
        self._cost: dict[str, float] = {}  # request id -> US dollars, reserved or settled

    def spent(self) -> float:
        """US dollars settled and reserved by all writers so far; :class:`TeacherError` where one may not be read."""
        with self._lock:
            return self._read()

    def reserve(self, usd: float, **record: Any) -> str:
        """Set ``usd`` aside for one request and return its id; :class:`BudgetExceeded` when it does not fit.

        The reservation is written first and the total read afterwards, so two processes cannot both take the
        last of the budget. ValueError for an amount that is none.
        """
        _amount(usd)
        request = uuid.uuid4().hex
        with self._lock:
            before = self._read()
            if before + usd <= self.budget_usd + _SLACK:
                self._append(request, "reserve", usd, record)
                if self._read() <= self.budget_usd + _SLACK:
                    return request
                self._append(request, "settle", 0.0, {**record, "status": "over_budget"})
        raise BudgetExceeded(
            f"the budget of {self.budget_usd:.4f} USD does not allow the next request: {before:.4f} USD are spent or "
            f"reserved (ledger: {self.directory}) and it may cost up to {usd:.4f}. Everything finished is cached. "
            "Raise `teacher.budget_usd` and run again."
        )

    def settle(self, request: str, usd: float, **record: Any) -> None:
        """Replace a reservation by the actual cost, with what else is known (tokens, status).

        ValueError for an amount that is none: the reservation then goes on counting.
        """
        _amount(usd)
        with self._lock:
            self._append(request, "settle", usd, record)

    def _append(self, request: str, event: str, usd: float, record: dict[str, Any]) -> None:
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": request,
            "event": event,
            "usd": usd,
            **record,
        }
        make_directory(self.directory, self.root)
        with self._own.open("a", encoding="utf-8") as file:
            share(self._own, self.root)
            file.write(json.dumps(line, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> float:
        """Read what was appended since the last call, complete lines only, and return the total."""
        for path in sorted(self.directory.glob("*.jsonl")) if self.directory.is_dir() else []:
            try:
                with path.open("rb") as file:
                    file.seek(self._offsets.get(path, 0))
                    data = file.read()
            except OSError as error:
                raise TeacherError(
                    f"teacher ledger: {path} cannot be read ({error.strerror or error}), so nobody can say whether the "
                    "budget holds; give yourself permission, or name another directory in `teacher.cache`."
                ) from None
            complete = data[: data.rfind(b"\n") + 1]
            self._offsets[path] = self._offsets.get(path, 0) + len(complete)
            for line in complete.splitlines():
                try:
                    entry = json.loads(line)
                    self._cost[entry["request"]] = _amount(float(entry["usd"]))
                except (ValueError, KeyError, TypeError, RecursionError):
                    log.warning("teacher ledger: %s has an unreadable line, which is not counted", path)
        return sum(self._cost.values())


def _amount(usd: float) -> float:
    """``usd``; ValueError where it is negative or no number, for no request gives money back."""
    if not 0 <= usd < math.inf:
        raise ValueError(f"{usd} US dollars are no cost of a request")
    return usd
