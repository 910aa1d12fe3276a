"""Selection methods, one a module: ``ABOUT`` (see ``teachable.selection.Method``) and ``choose(pool) -> Choice``."""
