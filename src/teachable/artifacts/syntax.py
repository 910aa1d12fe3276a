"""What one Python file says, without running it: a digest of its normalised syntax tree, and what it may import."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from teachable.errors import TeachableError


class FingerprintError(TeachableError):
    """A module whose code should be fingerprinted is not there, or is not valid Python."""


@dataclass(frozen=True, slots=True)
class Source:
    """What one file says, without running it."""

    digest: str  # of the whole normalised tree, with docstrings where the file itself reads ``__doc__``
    documented: str  # of the tree with its docstrings, whoever reads them
    effects: str  # of the statements that act on others when the file runs; "" when there are none
    imports: tuple[tuple[str, str], ...]  # (absolute module, name or "")
    loads: tuple[tuple[str, str], ...]  # those of them that happen as soon as the file is imported
    strings: tuple[str, ...]  # texts that may name a module, where the file imports by computed names
    prefixes: tuple[str, ...]  # packages all of whose modules may be imported by a computed name
    files: tuple[str, ...]  # texts that may name a data file, or end such a name (".toml")
    lists: bool  # whether it lists directories, and so may read files that it does not name
    reads_docs: bool  # whether it reads the docstrings of others


def analyse(text: bytes, file: Path, name: str, package: str) -> Source:
    """Read the source ``text`` of the module ``name``, whose relative imports start at ``package``.

    Raises :class:`FingerprintError`, with file and line, when it is not valid Python.
    """
    try:
        tree = ast.parse(text, filename=str(file))
    except SyntaxError as error:
        raise FingerprintError(f"cannot fingerprint {name!r}: {file}:{error.lineno}: {error.msg}") from error
    # What a release changes, other code says.
    tree.body = [item for item in tree.body if not (isinstance(item, ast.Assign) and _names(item) == ["__version__"])]
    documented = _digest([tree])
    _strip(tree)
    visitor = _Imports(package)
    visitor.visit(tree)
    declared = _declared(tree.body)
    if declared is not None:
        visitor.strings, visitor.prefixes, visitor.dynamic = set(declared), set(), True
    acting = _with_definitions([statement for statement in tree.body if _acts(statement)], tree.body)
    return Source(
        digest=documented if visitor.own_docs else _digest([tree]),
        documented=documented,
        effects=_digest(acting) if acting else "",
        imports=tuple(sorted(visitor.imports)),
        loads=tuple(sorted(visitor.loads)),
        strings=tuple(sorted(visitor.strings)) if visitor.dynamic else (),
        prefixes=tuple(sorted(visitor.prefixes)) if visitor.dynamic else (),
        files=tuple(sorted(visitor.files)),
        lists=visitor.lists,
        reads_docs=visitor.reads_docs,
    )


# Calls and names by which a file imports, or runs, what it names by a text.
_IMPORTERS = {"import_module", "__import__", "run_module", "run_path", "resolve_name", "spec_from_file_location"}
_LISTERS = {"iterdir", "listdir", "scandir", "walk", "fwalk", "rglob", "contents"}
_OF_A_PROCESS = re.compile(r"(?:^|\s)-m\s*([A-Za-z_][\w.]*)")  # "python -m p.a" in one text
_FILE = re.compile(r"[^\s/\\]*[A-Za-z0-9_]")


class _Imports(ast.NodeVisitor):
    """Collects imports, and the texts that would be imports or data files if the file reads by computed names."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.imports: set[tuple[str, str]] = set()
        self.loads: set[tuple[str, str]] = set()
        self.strings: set[str] = set()
        self.prefixes: set[str] = set()
        self.files: set[str] = set()
        self.dynamic = self.lists = self.own_docs = self.reads_docs = False
        self._deferred = 0  # depth of functions, whose imports happen when they are called

    def _add(self, target: str, name: str = "") -> None:
        self.imports.add((target, name))
        if not self._deferred:
            self.loads.add((target, name))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        target = self._absolute("." * node.level + (node.module or ""))
        for alias in node.names:
            self._add(target, alias.name)
            self.dynamic |= alias.name in _IMPORTERS

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def _visit_function(self, node: ast.AST) -> None:
        self._deferred += 1
        self.generic_visit(node)
        self._deferred -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _visit_function

    def visit_Name(self, node: ast.Name) -> None:
        self.dynamic |= node.id in _IMPORTERS
        self.own_docs |= node.id == "__doc__"

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.dynamic |= node.attr in _IMPORTERS
        self.lists |= node.attr in _LISTERS
        if node.attr in ("__doc__", "getdoc"):
            self.own_docs = self.reads_docs = True
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        label = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        first = node.args[0] if node.args else None
        if label in _IMPORTERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            self._add(self._absolute(first.value))
        elif label == "format" and isinstance(called, ast.Attribute):
            self._pattern(called.value)
        elif label == "join" and first is not None:
            for part in ast.walk(first):
                self._own_name(part)
        elif label == "glob" and isinstance(first, ast.Constant) and first.value in ("*", "**/*", "**"):
            self.lists = True
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Add | ast.Mod):
            self._pattern(node.left)
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        if node.values:
            self._pattern(node.values[0])
        self.generic_visit(node)

    def _pattern(self, head: ast.expr) -> None:
        """The text or name that a computed name of a module starts with: all below it may be meant."""
        if isinstance(head, ast.FormattedValue):
            head = head.value
        if isinstance(head, ast.Constant) and isinstance(head.value, str):
            text = re.split("[{%]", head.value)[0]  # of a template
            if "." in text and _dotted(text.strip(".")):
                self.prefixes.add(self._absolute(text.rpartition(".")[0] or "."))
        self._own_name(head)

    def _own_name(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name) and node.id in ("__name__", "__package__"):
            self.prefixes.add(self.package)  # a name below this package, found out while running

    def visit_Constant(self, node: ast.Constant) -> None:
        text = node.value
        if not isinstance(text, str) or len(text) >= 200:
            return
        target = text.partition(":")[0]
        if _dotted(target.lstrip(".")):
            self.strings.add(self._absolute(target))
        self.dynamic |= text == "-m"  # the command line of another Python, whose parts may stand anywhere
        for module in _OF_A_PROCESS.findall(text):
            self._add(module)
        name = re.split(r"[/\\]", text)[-1]
        if _FILE.fullmatch(name):
            self.files.add(name)
            if name.endswith(".py") and name[:-3].isidentifier():
                self._add(f"{self.package}.{name[:-3]}")  # a script beside this file, run by its path

    def _absolute(self, target: str) -> str:
        level = len(target) - len(target.lstrip("."))
        if level == 0:
            return target
        parents = self.package.split(".")
        anchor = parents[: len(parents) - (level - 1)]
        return ".".join([*anchor, target[level:]] if target[level:] else anchor)


def _dotted(text: str) -> bool:
    return all(piece.isidentifier() for piece in text.split("."))


def _declared(body: list[ast.stmt]) -> tuple[str, ...] | None:
    """The modules that ``__imports__ = ("p.a", ...)`` says are meant by the computed names of this file."""
    for statement in body:
        if isinstance(statement, ast.Assign) and _names(statement) == ["__imports__"]:
            return tuple(ast.literal_eval(statement.value))
    return None


def _strip(tree: ast.AST) -> None:
    """Take docstrings out of the tree, in place: those of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)]


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _names(statement: ast.Assign) -> list[str]:
    return [ast.unparse(target) for target in statement.targets]


def _acts(statement: ast.stmt) -> bool:
    """Whether running this top-level statement can do more than define a name of its own module."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return False
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return bool(statement.decorator_list) and not _only_dataclass(statement.decorator_list)
        case ast.Assign(targets=targets, value=value):
            return not all(isinstance(target, ast.Name | ast.Tuple) for target in targets) or _calls(value)
        case ast.AnnAssign(target=target, value=value):
            return not isinstance(target, ast.Name) or (value is not None and _calls(value))
        case ast.If():
            return not ast.unparse(statement.test).endswith("TYPE_CHECKING")
        case _:
            return True


# Functions that make a value and do nothing else. So do classes, whose names are written with a capital.
_MAKERS = {
    *("frozenset", "set", "dict", "tuple", "list", "sorted", "range", "len", "min", "max", "sum", "zip", "map", "str"),
    *("int", "float", "bool", "enumerate", "reversed", "object", "compile", "getLogger", "namedtuple", "partial"),
    *("field", "keys", "values", "items", "union", "split", "join", "replace", "strip", "format", "resolve"),
    *("with_name", "joinpath", "get", "sqrt", "log", "exp"),
}


def _calls(value: ast.expr) -> bool:
    """Whether computing ``value`` may do something to others: it calls what is not known to make a value only."""
    for node in ast.walk(value):
        if isinstance(node, ast.Call):
            called = node.func
            label = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if label not in _MAKERS and not label.lstrip("_")[:1].isupper():
                return True
    return False


def _with_definitions(acting: list[ast.stmt], body: list[ast.stmt]) -> list[ast.stmt]:
    """``acting`` and the functions and classes of the same file that it names, directly or through others."""
    definitions = {
        statement.name: statement
        for statement in body
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    found, pending = [*acting], [*acting]
    while pending:
        for node in ast.walk(pending.pop()):
            named = definitions.pop(node.id, None) if isinstance(node, ast.Name) else None
            if named is not None and named not in found:
                found.append(named)
                pending.append(named)
    return found


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
