"""The version of this package. Its own module, so that who names it in a file does not import the whole library."""

from __future__ import annotations

__version__ = "0.1.0"
