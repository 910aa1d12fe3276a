"""What one Python file says, without running it: a digest of its normalised syntax tree, and what it may import."""

from __future__ import annotations

import ast
import hashlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from teachable.errors import TeachableError


class FingerprintError(TeachableError):
    """A module whose code should be fingerprinted is not there, or is not valid Python."""


@dataclass(frozen=True, slots=True)
class Source:
    """What one file says, without running it."""

    digest: str  # of the whole normalised tree
    effects: str  # of the statements that act on others when the file runs; "" when there are none
    imports: tuple[tuple[str, str], ...]  # (absolute module, name or "")
    strings: tuple[str, ...]  # texts that may name a module, where the file imports by computed names
    prefixes: tuple[str, ...]  # packages all of whose modules may be imported by a computed name


def analyse(text: bytes, file: Path, name: str, package: str) -> Source:
    """Read the source ``text`` of the module ``name``, whose relative imports start at ``package``.

    Raises :class:`FingerprintError`, with file and line, when it is not valid Python.
    """
    try:
        tree = ast.parse(text, filename=str(file))
    except SyntaxError as error:
        raise FingerprintError(f"cannot fingerprint {name!r}: {file}:{error.lineno}: {error.msg}") from error
    visitor = _Imports(package)
    visitor.visit(tree)
    _strip(tree)
    acting = [statement for statement in tree.body if _acts(statement)]
    return Source(
        digest=_digest([tree]),
        effects=_digest(acting) if acting else "",
        imports=tuple(sorted(visitor.imports)),
        strings=tuple(sorted(visitor.strings)) if visitor.dynamic else (),
        prefixes=tuple(sorted(visitor.prefixes)) if visitor.dynamic else (),
    )


class _Imports(ast.NodeVisitor):
    """Collects imports, and the strings that would be imports if the file imports by computed names."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.imports: set[tuple[str, str]] = set()
        self.strings: set[str] = set()
        self.prefixes: set[str] = set()
        self.dynamic = False

    def visit_Import(self, node: ast.Import) -> None:
        self.imports.update((alias.name, "") for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        target = self._absolute("." * node.level + (node.module or ""))
        self.imports.update((target, alias.name) for alias in node.names)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        label = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if label in ("import_module", "__import__"):
            self.dynamic = True
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                self.imports.add((self._absolute(first.value), ""))
            elif first is not None and any(
                isinstance(part, ast.Name) and part.id in ("__name__", "__package__") for part in ast.walk(node)
            ):
                self.prefixes.add(self.package)  # a name below this package, found out while running
        self.generic_visit(node)

    def visit_List(self, node: ast.List) -> None:
        for flag, module in itertools.pairwise(node.elts):
            if isinstance(flag, ast.Constant) and flag.value == "-m" and isinstance(module, ast.Constant):
                self.imports.add((str(module.value), ""))  # the command line of another Python
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        text = node.value
        if isinstance(text, str) and len(text) < 200:
            target = text.partition(":")[0]
            if all(piece.isidentifier() for piece in target.lstrip(".").split(".")):
                self.strings.add(self._absolute(target))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        head = node.values[0] if node.values else None
        if isinstance(head, ast.Constant) and "." in str(head.value):
            self.prefixes.add(self._absolute(str(head.value).rpartition(".")[0] or "."))
        self.generic_visit(node)

    def _absolute(self, target: str) -> str:
        level = len(target) - len(target.lstrip("."))
        if level == 0:
            return target
        parents = self.package.split(".")
        anchor = parents[: len(parents) - (level - 1)]
        return ".".join([*anchor, target[level:]] if target[level:] else anchor)


def _strip(tree: ast.AST) -> None:
    """Take docstrings out of the tree, in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                del node.body[0]


def _acts(statement: ast.stmt) -> bool:
    """Whether running this top-level statement can do more than define a name of its own module."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return False
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return bool(statement.decorator_list) and not _only_dataclass(statement.decorator_list)
        case ast.Assign():
            return not all(isinstance(target, ast.Name | ast.Tuple) for target in statement.targets)
        case ast.AnnAssign():
            return not isinstance(statement.target, ast.Name)
        case ast.If():
            return not ast.unparse(statement.test).endswith("TYPE_CHECKING")
        case _:
            return True


def _only_dataclass(decorators: list[ast.expr]) -> bool:
    return all(ast.unparse(decorator).startswith(("dataclass", "cache", "lru_cache")) for decorator in decorators)


def _digest(nodes: Iterable[ast.AST]) -> str:
    pieces: list[str] = []
    for node in nodes:
        _write(node, pieces.append)
    return hashlib.sha256("".join(pieces).encode("utf-8", "surrogatepass")).hexdigest()


_LEFT_OUT = {"ctx", "type_comment", "kind", "type_ignores"}


def _write(value: object, emit: Callable[[str], None]) -> None:
    """Write a tree as text; empty fields are left out, so that Python releases that add one agree with older ones."""
    if isinstance(value, ast.AST):
        emit(type(value).__name__ + "(")
        for field in value._fields:
            if field in _LEFT_OUT:
                continue
            content = getattr(value, field, None)
            if (content is None and field != "value") or content == []:
                continue
            emit(field + "=")
            _write(content, emit)
        emit(")")
    elif isinstance(value, list):
        emit("[")
        for item in value:
            _write(item, emit)
            emit(",")
        emit("]")
    else:
        emit(repr(value) + ";")
