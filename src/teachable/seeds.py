"""Random streams by name: the same run seed and names give the same numbers, whatever ran before."""

from __future__ import annotations

import hashlib

import numpy as np


def integer(run_seed: int, *names: object) -> int:
    """A 63-bit seed for the thing called ``names`` under ``run_seed``.

    Names are joined by an ASCII unit separator and hashed with SHA-256, so that work order, sharding and
    Python's hash randomisation cannot change it.
    """
    text = "\x1f".join([str(run_seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(run_seed: int, *names: object) -> np.random.Generator:
    """An independent generator (PCG64) for the thing called ``names`` under ``run_seed``."""
    return np.random.default_rng(integer(run_seed, *names))
