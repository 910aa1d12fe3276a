"""The content-addressed artifact store: what was made once from the same code, parameters and inputs is not made again.

Keys are recipes, objects are bytes by SHA-256, records join the two. The room knows no stage by name.
"""

from teachable.store.objects import CorruptObject, StoreError, digest
from teachable.store.recipe import Recipe, RecipeError, canonical_json
from teachable.store.store import Record, Restored, Store

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
