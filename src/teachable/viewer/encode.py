"""Columns as compact text: base64 of little-endian numbers, words by code, names by what they share with the last."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Json = dict[str, Any]
DIGITS = 5  # significant ones of a number that is shown
_SHARED = 255  # longest prefix that one byte can tell


def packed(values: NDArray[Any]) -> str:
    """Base64 of the bytes of ``values``, little-endian."""
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()


def numbers(column: pl.Series) -> str:
    """A column of numbers as 32-bit floats; null is NaN."""
    return packed(column.cast(pl.Float32).fill_null(math.nan).to_numpy())


def unsigned(values: Sequence[int] | NDArray[Any], bits: int) -> str:
    """Whole numbers of 8, 16 or 32 bits; what is larger counts as the largest."""
    return packed(np.minimum(np.asarray(values, np.uint64), 2**bits - 1).astype(f"u{bits // 8}"))


def words(column: pl.Series) -> Json:
    """A column of texts: ``words`` in alphabetical order, the first null, and the ``codes`` of the rows in ``bits``."""
    known = column.drop_nulls().unique().sort()
    codes = pl.DataFrame({"word": column}).join(
        pl.DataFrame({"word": known, "code": pl.Series(range(1, len(known) + 1), dtype=pl.UInt32)}),
        on="word",
        how="left",
        maintain_order="left",
    )["code"]
    bits = next(bits for bits in (8, 16, 32) if len(known) < 2**bits)
    return {
        "words": [None, *known.to_list()],
        "codes": unsigned(codes.fill_null(0).to_numpy(), bits),
        "bits": bits,
    }


def names(values: Sequence[str]) -> Json:
    """Names that begin alike: of each the ``shared`` first characters are those of the one before, ``rest`` follows.

    Only ASCII is shared: a character beyond it may be two of JavaScript's.
    """
    shared, rest, last = [], [], ""
    for value in values:
        same = 0
        for one, other in zip(value, last[:_SHARED], strict=False):
            if one != other or one > "\x7f":
                break
            same += 1
        shared.append(same)
        rest.append(value[same:])
        last = value
    return {"shared": unsigned(shared, 8), "rest": rest}


def short(*columns: str) -> list[pl.Expr]:
    """Numbers as the page shows them, to :data:`DIGITS` significant digits; null where there is none."""
    made = [pl.col(column).round_sig_figs(DIGITS) for column in columns]
    return [pl.when(column.is_finite()).then(column) for column in made]


def policy() -> pl.Expr:
    """Column ``policy``: the probabilities whose logarithms are ``logp``, as :func:`short` has them."""
    return pl.col("logp").list.eval(pl.element().exp().round_sig_figs(DIGITS)).alias("policy")
