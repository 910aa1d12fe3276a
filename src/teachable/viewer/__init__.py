"""The viewer of snapshots: a folder of static files that a browser opens without a server or a network.

:func:`files` turns the tables of a run into the page, an index of all snapshots (:mod:`.index`) and chunks of a
hundred snapshots each in full (:mod:`.details`), which the page loads when it shows one of them. All are scripts,
because a page opened from a disk may load scripts beside it and nothing else. What a table does not hold is left out
and named on the page; nothing here computes a number that the tables have not, but for shares and counts of episodes.
"""

from __future__ import annotations

from teachable.viewer.build import CHUNK, PAGE, TITLE, files, page
from teachable.viewer.sources import Sources

__all__ = ["CHUNK", "PAGE", "TITLE", "Sources", "files", "page"]
