"""Stages and what they make, whatever their science: what is declared, command lines, the runner, fingerprints of code,
and the content-addressed store (what was made once from the same code, parameters and inputs is not made again).

Keys are recipes, objects are bytes by SHA-256, records join the two. The room knows no stage by name.
"""

from teachable.artifacts.objects import CorruptObject, StoreError, digest
from teachable.artifacts.recipe import Recipe, RecipeError, canonical_json
from teachable.artifacts.store import Record, Restored, Store

__all__ = [
    "CorruptObject",
    "Recipe",
    "RecipeError",
    "Record",
    "Restored",
    "Store",
    "StoreError",
    "canonical_json",
    "digest",
]
