"""A peer's side of `side_by_side.Peer`: a question a line on standard input, an answer a line on standard output."""

import json
import os
import sys
import time


def serve(answer):
    """Answer every question until there are no more. Whatever libraries print goes to standard error."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        out.write(json.dumps(answer(**json.loads(line))) + "\n")
        out.flush()


def timed(work):
    """What `work` returns, its CPU-seconds and its seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    return found, time.process_time() - cpu, time.perf_counter() - wall
