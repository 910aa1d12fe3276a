"""What code a stage runs, as a digest: it changes when an edit can reach the stage, and only then.

The fingerprint of a module is a SHA-256 over the normalised syntax trees of the module and of every module of
the same package that it can import, directly or through others. Comments, formatting, docstrings and
positions are not in a syntax tree so normalised; nothing is imported or executed, so a Snakefile may ask for
every stage while it parses.

What counts as an import:

* ``import p.a``, ``from p.a import x`` (the submodule ``p.a.x`` where there is one, else the module ``p.a``),
  relative imports, at any depth of the file: a lazy import inside a function is still code that may run;
* in a module that names ``import_module``, ``__import__`` or a function of ``runpy``, under whatever alias: every
  string that names a module of the package (``"p.a"``, ``"p.a:Name"``, ``".a"``), and for a pattern such as
  ``f"p.worlds.{name}"``, ``"p.worlds." + name`` or, in ``p.worlds``, ``f"{__name__}.{name}"``, all modules below
  ``p.worlds``;
* where ``-m`` stands as a text of its own, every string that names a module, and ``p.a`` in ``"python -m p.a"``: the
  command line of another Python process, which runs that module; a script that is named as a file beside the module;
* not what stands under ``if TYPE_CHECKING:``, which never runs;
* where a module says ``__imports__ = ("p.a", ...)``, these instead of what its computed names could mean: () where
  the parameters of a stage name the modules, which it then declares (``follows``).

A package's ``__init__`` that is named by an import counts in full. One that runs only because a module lies
below it, and every module that such a one imports on the way, counts by what running it does to others (calls,
assignments to attributes or items, decorated definitions, with the functions of its own that they name), not by the
names it defines, so that a registry in ``p/stages/__init__.py`` does not tie every stage to every other.

A data file (anything that is not Python) counts by its bytes where a counted module names it, wherever it lies; and in
the package of a counted module, or in one that is named, where a counted one names its ending (``".toml"``) or one of
the package lists directories. So do compiled modules. What nobody names (notes, an editor's backups) does not count.
Docstrings count where ``__doc__`` is read: those of the file itself, and of what it imports.

The text of an error counts: it may be recorded (a fault, the reason why a run is absent), and so be a result.

A module of another distribution (a world, say) is followed within its own top-level package, or is one file, and what
it imports of this package counts as well. Whatever else it imports is a library.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, fields
from functools import cache
from pathlib import Path
from typing import Any

from teachable.artifacts import syntax
from teachable.artifacts.syntax import FingerprintError, Source, analyse

__all__ = [
    "FingerprintError",
    "closure",
    "fingerprint",
    "is_data",
    "library_imports",
    "package_root",
    "parts",
    "versions",
]

_HOME = __name__.partition(".")[0]

_NO_DATA = {".py", ".pyc", ".pyi", ".typed"}

# Import names whose distribution is called otherwise; anything else is looked up under its own name first.
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "PyYAML", "PIL": "pillow", "dateutil": "python-dateutil"}

# Libraries that do the numerical or engine work of another one: a change of theirs can change a result.
_COMPANIONS = {
    "textworld": ("jericho",),
    "transformers": ("tokenizers", "safetensors"),
    "peft": ("transformers", "tokenizers", "safetensors"),
    "sklearn": ("scipy", "numpy"),
    "seaborn": ("matplotlib",),
}

# Libraries that cannot change a result: progress bars, and the check of parameters that are in the recipe by value.
_WITHOUT_EFFECT = {"tqdm", "pydantic", "pydantic_core", "typing_extensions"}


def fingerprint(*modules: str) -> str:
    """Digest (64 hex digits) of the code that running ``modules`` can reach in their packages and in this one.

    Raises :class:`FingerprintError` when a module does not exist or a reached file is not valid Python.
    """
    lines = (f"{name} {digest}\n" for name, digest in parts(*modules).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def parts(*modules: str) -> dict[str, str]:
    """The pieces :func:`fingerprint` is made of: module or data file -> digest, sorted by name."""
    found: dict[str, str] = {}
    for module in _with_home(modules):
        found.update(_parts(module, str(package_root(module))))
    return dict(sorted(found.items()))


def library_imports(*modules: str) -> tuple[str, ...]:
    """Top-level import names of the third-party libraries that the reachable code imports, sorted.

    With the libraries that do their work (``transformers`` brings ``tokenizers``), without those that cannot
    change a result (``tqdm``).
    """
    every = _with_home(modules)
    return tuple(sorted({name for module in every for name in _libraries(module, str(package_root(module)))}))


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Version of Python (3.11) and the installed one of every library, by import name, read from metadata without
    importing; "absent" if missing.
    """
    python = ".".join(map(str, sys.version_info[:2]))
    return {"python": python, **{name: _version(name) for name in sorted(set(libraries))}}


def _with_home(modules: Iterable[str]) -> tuple[str, ...]:
    """``modules``, and those of this package that modules of other distributions import."""
    found = dict.fromkeys(modules)
    for module in tuple(found):
        if module.partition(".")[0] != _HOME:
            base, home = package_root(module), package_root(_HOME)
            for name in sorted(_reachable(module, base)[0]):
                source = _source(_there(name, base), name)
                found.update(dict.fromkeys(_targets((*source.imports, *((text, "") for text in source.strings)), home)))
    return tuple(found)


@cache
def _parts(module: str, root: str) -> tuple[tuple[str, str], ...]:
    base = Path(root)
    full, passed = _reachable(module, base)
    sources = {name: _source(_there(name, base), name) for name in full}
    found = {name: source.digest for name, source in sources.items()}
    for name in passed:
        effects = _source(_there(name, base), name).effects
        if effects:
            found[f"{name} (effects)"] = effects
    for source in sources.values():
        for name in _targets(source.imports, base) if source.reads_docs else ():
            found[f"{name} (documentation)"] = _source(_there(name, base), name).documented
    if base.is_dir():
        for file in _data(sources, base):
            found[file.relative_to(base.parent).as_posix()] = _bytes(file)
    return tuple(sorted(found.items()))


def _data(sources: Mapping[str, Source], base: Path) -> Iterator[Path]:
    """The data files that the modules may read; see the head of this module."""
    named = {text for source in sources.values() for text in source.files}
    endings = tuple(sorted({text for text in map(_last, named) if "." in text}))
    beside = {_there(name, base).parent for name in sources}
    listed = {_there(name, base).parent for name, source in sources.items() if source.lists}
    for file in _data_files(base):
        owner = next(folder for folder in file.parents if folder == base or (folder / "__init__.py").exists())
        compiled = file.suffix == ".so" and _imports(sources.values(), file.name.partition(".")[0])
        near = owner in beside or owner.name in named or ".".join(owner.relative_to(base.parent).parts) in named
        if file.name in named or compiled or (near and file.name.endswith(endings)) or owner in listed:
            yield file


@cache
def _libraries(module: str, root: str) -> tuple[str, ...]:
    base = Path(root)
    full, _ = _reachable(module, base)
    names: set[str] = set()
    for name in sorted(full):
        for target, _ in _source(_there(name, base), name).imports:
            top = target.partition(".")[0]
            if top not in (base.stem, _HOME) and top not in sys.stdlib_module_names:
                names.add(top)
    for name in tuple(names):
        names.update(_COMPANIONS.get(name, ()))
    return tuple(sorted(names - _WITHOUT_EFFECT))


def closure(*modules: str) -> set[str]:
    """Every module of their packages and of this one that loading ``modules`` can load: what they reach, and in full
    what their packages do on the way."""
    found: set[str] = set()
    for first in _with_home(modules):
        pending = {first}
        while pending:
            full, passed = _reachable(pending.pop(), package_root(first))
            found |= full
            pending |= passed - found
    return found


def is_data(file: Path) -> bool:
    """Whether a file of a package is neither code nor what an editor or Python's bytecode cache leaves behind."""
    return (
        file.parent.name != "__pycache__"
        and not file.name.startswith((".", "#"))
        and not file.name.endswith("~")
        and file.suffix not in _NO_DATA
    )


@cache
def package_root(module: str) -> Path:
    """The directory of the top-level package of ``module``, or its one file; :class:`FingerprintError` without one."""
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(top)
    locations = [] if spec is None else [*(spec.submodule_search_locations or ())]
    if spec is not None and not locations and (spec.origin or "").endswith(".py"):
        locations = [str(spec.origin)]  # one file
    if not locations:
        raise FingerprintError(f"cannot fingerprint {module!r}: {top!r} is not an installed package")
    return Path(locations[0]).resolve()


def _imports(sources: Iterable[Source], name: str) -> bool:
    return any(name in ".".join(pair).split(".") for source in sources for pair in source.imports)


@cache
def _last(text: str) -> str:
    """What is fixed at the end of a pattern or template of names."""
    return re.split(r"[*?}\]]|%\w", text)[-1]


def _reachable(module: str, base: Path) -> tuple[set[str], set[str]]:
    """Modules that count in full, and those that only run on the way to them."""
    if _file(module, base) is None:
        raise FingerprintError(f"cannot fingerprint {module!r}: no such module in {base}")
    full: set[str] = set()
    pending = [module]
    while pending:
        name = pending.pop()
        if name not in full:
            full.add(name)
            pending.extend(_reached(name, base))
    passed: set[str] = set()
    pending = [parent for name in full for parent in _ancestors(name)]
    while pending:
        name = pending.pop()
        if name not in full and name not in passed:
            passed.add(name)
            pending.extend(_targets(_source(_there(name, base), name).loads, base))
            pending.extend(_ancestors(name))
    return full, passed


@cache
def _reached(name: str, base: Path) -> frozenset[str]:
    """What a module that counts in full may import."""
    source = _source(_there(name, base), name)
    found = {*_targets((*source.imports, *((text, "") for text in source.strings)), base)}
    for prefix in source.prefixes:
        if prefix.partition(".")[0] == base.stem:
            found.update(_modules_below(prefix, base))
    return frozenset(found)


def _targets(imports: Iterable[tuple[str, str]], base: Path) -> Iterator[str]:
    """Those of the package at ``base``: the submodule where there is one, else the module."""
    for target, name in imports:
        if target.partition(".")[0] != base.stem:
            continue
        submodule = f"{target}.{name}"
        if name and _file(submodule, base) is not None:
            yield submodule
        elif _file(target, base) is not None:
            yield target


def _modules_below(package: str, base: Path) -> Iterator[str]:
    directory = base.joinpath(*package.split(".")[1:])
    for file in sorted(directory.glob("*.py")):
        yield package if file.stem == "__init__" else f"{package}.{file.stem}"
    for file in sorted(directory.glob("*/__init__.py")):
        yield f"{package}.{file.parent.name}"


def _ancestors(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


@cache
def _file(name: str, base: Path) -> Path | None:
    """The file of a module of the package (or the one file) at ``base``; None when there is none."""
    if base.suffix == ".py":
        return base if name == base.stem else None
    path = base.joinpath(*name.split(".")[1:])
    if path.is_dir():
        init = path / "__init__.py"
        return init if init.is_file() else None
    plain = path.with_name(path.name + ".py")
    return plain if plain.is_file() else None


def _there(name: str, base: Path) -> Path:
    """The file of a module that was found before."""
    file = _file(name, base)
    assert file is not None
    return file


@cache
def _data_files(base: Path) -> tuple[Path, ...]:
    """Every file of the package that is not Python, and not what an editor leaves behind, sorted."""
    found: list[Path] = []
    for folder, below, names in os.walk(base):
        below[:] = sorted(name for name in below if not name.startswith((".", "__pycache__")))
        found.extend(Path(folder, name) for name in sorted(names) if is_data(Path(name)))
    return tuple(found)


@cache
def _bytes(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@cache
def _source(file: Path, name: str) -> Source:
    text = file.read_bytes()
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    remembered = _memory()
    key = hashlib.sha256(f"{package}\0".encode() + text).hexdigest()
    if key in remembered.entries:
        entry: Any = (_frozen(field) for field in remembered.entries[key])
        return Source(*entry)
    source = analyse(text, file, name, package)
    remembered.add(key, list(astuple(source)))
    return source


def _frozen(item: Any) -> Any:
    return tuple(map(_frozen, item)) if isinstance(item, list) else item


class _Memory:
    """Analyses of earlier processes, keyed by the bytes of the source: parsing is nine tenths of the time.

    One JSON file in the user's cache directory, replaced by rename; a missing, torn or unwritable one costs time only.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.entries: dict[str, Any] = {}
        self._new = False
        try:
            loaded = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(loaded, dict) and all(len(entry) == len(fields(Source)) for entry in loaded.values()):
                self.entries = loaded
        except (OSError, ValueError, TypeError):
            pass
        atexit.register(self.save)

    def add(self, key: str, entry: list[Any]) -> None:
        self.entries[key] = entry
        self._new = True

    def save(self) -> None:
        if not self._new:
            return
        kept = dict(list(self.entries.items())[-2000:])  # about 1 MB; a stage reaches tens of modules
        temporary = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(kept), encoding="utf-8")
            temporary.replace(self.file)
        except OSError:
            temporary.unlink(missing_ok=True)
        self._new = False


@cache
def _memory() -> _Memory:
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "teachable"
    own = hashlib.sha256(Path(str(syntax.__file__)).read_bytes()).hexdigest()[:12]  # another analysis, another memory
    return _Memory(directory / f"syntax-{sys.version_info.major}.{sys.version_info.minor}-{own}.json")


@cache
def _version(name: str) -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTIONS.get(name, name))
    except importlib.metadata.PackageNotFoundError:
        pass
    for distribution in importlib.metadata.packages_distributions().get(name, ()):
        return importlib.metadata.version(distribution)
    return "absent"
