"""The text of a generated module."""

from __future__ import annotations

import ast
from typing import Final

from libs.client.generate_async.analysis import BLOCKING, Module, Program, Scope

RENAMED: Final = {
    ("httpx.Client", "close"): "aclose",
    ("httpx.Response", "read"): "aread",
    ("httpx.Response", "iter_bytes"): "aiter_bytes",
}
Placed = ast.expr | ast.stmt
METHODS: Final = {"__enter__": "__aenter__", "__exit__": "__aexit__"}
CLIENT_SAYS: Final = '''"""The SDK for asyncio: `Client`'s operations, to be awaited.

from modelyard import AsyncClient

async with AsyncClient() as client:
    job = await client.jobs.create("pipeline.yml")
    async for chunk in client.jobs.stream(job["name"]):
        print(chunk.text, end="")
"""'''
WORDS: Final = (
    ("; synchronous, and safe to share between threads.", ", in one event loop."),
    (" Safe to share between threads.", ""),
)
"""What is true of the original only."""


class Twin:
    """The text of one generated module: the original's, with edits at byte positions."""

    def __init__(self, program: Program, module: Module) -> None:
        self.program = program
        self.module = module
        lines = module.source.splitlines(keepends=True)
        self.starts = [0]
        for line in lines:
            self.starts.append(self.starts[-1] + len(line))
        self.edits: list[tuple[int, int, bytes]] = []

    def text(self) -> str:
        """The generated module, not formatted yet."""
        kept: list[str] = []
        for node in self.module.tree.body:
            match node:
                case ast.ClassDef() | ast.FunctionDef() if self.program.has_twin(node.name):
                    self._definition(node)
                case ast.ClassDef() | ast.FunctionDef():
                    kept.append(node.name)
                    self._drop(node)
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    kept.append(name)
                    self._drop(node)
                case ast.Expr(value=ast.Constant()) if node is not self.module.tree.body[0]:
                    self._drop(node)  # says what the assignment above it is
                case ast.If():  # imports for type checkers
                    for one in ast.walk(node):
                        if isinstance(one, ast.ImportFrom):
                            self._import(one)
                case ast.ImportFrom():
                    self._import(node)
                case _:
                    pass
        source = self.module.source
        for start, end, new in sorted(self.edits, reverse=True):
            source = source[:start] + new + source[end:]
        text = source.decode()
        docstring = self.module.tree.body[0]
        assert isinstance(docstring, ast.Expr)
        says = ast.get_source_segment(self.module.source.decode(), docstring) or ""
        imports = [
            "import asyncio",
            "from collections.abc import AsyncIterator",
            "from contextlib import asynccontextmanager",
        ]
        if kept:
            imports.append(f"from {self.module.original} import {', '.join(kept)}")
        for old, new_words in WORDS:
            text = text.replace(old, new_words)
        head = f"# Generated from {self.module.original} by libs.client.generate_async: do not edit.\n"
        future = "from __future__ import annotations\n"
        text = text.replace(future, future + "\n".join(imports) + "\n", 1)
        if self.module.name == "client":
            text = text.replace(says, CLIENT_SAYS, 1)
        return head + text

    def _definition(self, node: ast.ClassDef | ast.FunctionDef) -> None:
        if isinstance(node, ast.FunctionDef):
            self._function(Scope(self.program, node, None))
            return
        if node.name == "Client":
            self._replace(self._at(node) + len(b"class "), len(b"Client"), b"AsyncClient")
        for method in node.body:
            if isinstance(method, ast.FunctionDef):
                self._function(Scope(self.program, method, node.name))

    def _function(self, scope: Scope) -> None:
        node = scope.node
        how = scope.how()
        if how or node.name in METHODS:
            self._insert(self._at(node), b"async ")
        if node.name in METHODS:
            self._replace(self._at(node) + len(b"def "), len(node.name), METHODS[node.name].encode())
        for one in ast.walk(node.returns) if how in {"for", "with"} and node.returns else ():
            if isinstance(one, ast.Name) and one.id == "Iterator":
                self._insert(self._at(one), b"Async")
        for decorator in node.decorator_list if how == "with" else ():
            self._insert(self._at(decorator), b"async")
        parents = {child: one for one in ast.walk(node) for child in ast.iter_child_nodes(one)}
        for one in scope.own():
            self._node(one, parents, scope)
        for inner in scope.inner.values():
            self._function(inner)

    def _node(self, node: ast.AST, parents: dict[ast.AST, ast.AST], scope: Scope) -> None:
        match node:
            case ast.For() if scope.iterates(node.iter):
                self._insert(self._at(node), b"async ")
            case ast.comprehension() if scope.iterates(node.iter):
                before = self.module.source.rindex(b"for", 0, self._at(node.target))
                self._insert(before, b"async ")
            case ast.With():
                hows = {
                    scope.waits(one.context_expr) if isinstance(one.context_expr, ast.Call) else None
                    for one in node.items
                }
                outside = {
                    ast.unparse(one.context_expr.func) for one in node.items if isinstance(one.context_expr, ast.Call)
                }
                if hows == {"with"} or outside == {"httpx.Client"}:
                    self._insert(self._at(node), b"async ")
            case ast.Starred(value=ast.Call() as call) if scope.waits(call) == "for":
                self._replace(self._at(node), 1, b"item async for item in ")
            case ast.YieldFrom(value=value) if scope.how():  # an asynchronous generator has no `yield from`
                indent = " " * (node.col_offset + 4)
                self._replace(self._at(node), self._at(value) - self._at(node), b"for item in ")
                self._insert(self._end(node), f":\n{indent}yield item".encode())
            case ast.GeneratorExp() if any(isinstance(one, ast.Call) and scope.waits(one) for one in ast.walk(node)):
                raise SystemExit(
                    f"{self.module.original}:{node.lineno}: this waits in a generator expression: use a loop"
                )
            case ast.Attribute(value=ast.Name(id="httpx"), attr="Client"):
                self._replace(self._end(node) - len(b"Client"), len(b"Client"), b"AsyncClient")
            case ast.Call():
                self._call(node, parents[node], scope)
            case ast.ImportFrom():
                self._import(node)
            case _:
                pass

    def _call(self, call: ast.Call, parent: ast.AST, scope: Scope) -> None:
        how = scope.waits(call)
        match call.func:
            case ast.Attribute(value=value, attr=name) if new := RENAMED.get((scope.type_of(value), name)):
                self._replace(self._end(call.func) - len(name), len(name), new.encode())
            case ast.Attribute(value=ast.Name(id="time"), attr="sleep"):
                self._replace(self._at(call.func), len(b"time"), b"asyncio")
            case ast.Name(id=name) if name in BLOCKING:
                self._replace(self._at(call.func), len(name) + 1, f"asyncio.to_thread({name}, ".encode())
            case _:
                pass
        if how != "await":
            return
        if isinstance(parent, ast.Attribute | ast.Subscript):
            self._insert(self._at(call), b"(await ")
            self._insert(self._end(call), b")")
        else:
            self._insert(self._at(call), b"await ")

    def _import(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if module == "modelyard.api":  # `live`, the only one that is named as a module
            self._replace(self._at(node), len(b"from modelyard.api"), b"from modelyard.aio")
            return
        if not module.startswith("modelyard.api."):
            return
        short = module.removeprefix("modelyard.api.")
        twins = [one.name for one in node.names if self.program.has_twin(one.name) or short == "waiting"]
        others = [one.name for one in node.names if one.name not in twins]
        indent = b" " * node.col_offset
        lines = [f"from modelyard.aio.{short} import {', '.join(twins)}"] if twins else []
        lines += [f"from {module} import {', '.join(others)}"] if others else []
        start = self._at(node)
        self._replace(start, self._end(node) - start, (b"\n" + indent).join(line.encode() for line in lines))

    def _drop(self, node: ast.stmt) -> None:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        start = self.starts[first - 1]
        self._replace(start, self._end(node) - start, b"")

    def _at(self, node: Placed) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def _end(self, node: Placed) -> int:
        return self.starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    def _insert(self, at: int, text: bytes) -> None:
        self._replace(at, 0, text)

    def _replace(self, at: int, length: int, text: bytes) -> None:
        self.edits.append((at, at + length, text))
