"""Which functions wait, and how: found from the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

BLOCKING: Final = frozenset({"describe", "git_state"})
"""Functions that wait for something else than the network: they go to a thread."""
EXTERNAL: Final = {
    "httpx.Client": {"request": "await", "post": "await", "close": "await", "stream": "with"},
    "httpx.Response": {"read": "await", "iter_bytes": "for"},
}


@dataclass
class Class:
    """What is known of a class: its bases, the types of its attributes, how its methods wait."""

    name: str
    bases: list[str] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)


@dataclass
class Module:
    """A module of the original."""

    name: str
    source: bytes
    tree: ast.Module
    twin: str

    @property
    def original(self) -> str:
        """Its import path."""
        return "modelyard.client" if self.name == "client" else f"modelyard.api.{self.name}"


class Program:
    """All modules, and how their functions wait: `await`, `for` (a generator) or `with` (a context manager)."""

    def __init__(self, modules: list[Module]) -> None:
        self.modules = modules
        self.classes = {name: Class(name, waits=dict(waits)) for name, waits in EXTERNAL.items()}
        self.functions: dict[str, str] = {}
        for node in (node for module in modules for node in module.tree.body):
            if isinstance(node, ast.ClassDef):
                self.classes[node.name] = self._class(node)
        waiting = -1
        while waiting != (waiting := self._marked()):
            pass

    def _class(self, node: ast.ClassDef) -> Class:
        found = Class(node.name, [base.id for base in node.bases if isinstance(base, ast.Name)])
        for method in (one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)):
            if isinstance(method, ast.AsyncFunctionDef):  # written by hand
                found.waits[method.name] = "await"
            if any(isinstance(one, ast.Name) and one.id == "property" for one in method.decorator_list):
                found.attributes[method.name] = _annotated(method.returns)
            if method.name == "__init__":
                given = _parameters(method)
                for one in ast.walk(method):
                    match one:
                        case ast.Assign(targets=[ast.Attribute(attr=name)], value=ast.Call(func=made)):
                            found.attributes[name] = ast.unparse(made)
                        case ast.Assign(targets=[ast.Attribute(attr=name)], value=value):
                            found.attributes[name] = given.get(ast.unparse(value), "")
                        case _:
                            pass
        return found

    def _marked(self) -> int:
        """Mark what waits given what is known to; how many functions there are."""
        for module in self.modules:
            for node in module.tree.body:
                if isinstance(node, ast.ClassDef):
                    for method in node.body:
                        if isinstance(method, ast.FunctionDef) and (how := Scope(self, method, node.name).how()):
                            self.classes[node.name].waits[method.name] = how
                elif isinstance(node, ast.FunctionDef) and (how := Scope(self, node, None).how()):
                    self.functions[node.name] = how
        return len(self.functions) + sum(len(one.waits) for one in self.classes.values())

    def method(self, owner: str, name: str) -> str | None:
        """How a method of a class, or of the classes it stands on, waits."""
        found = self.classes.get(owner)
        if found is None:
            return None
        return found.waits.get(name) or next((how for base in found.bases if (how := self.method(base, name))), None)

    def attribute(self, owner: str, name: str) -> str:
        """The type of an attribute."""
        found = self.classes.get(owner)
        if found is None:
            return ""
        return found.attributes.get(name) or next(
            (kind for base in found.bases if (kind := self.attribute(base, name))), ""
        )

    def has_twin(self, name: str) -> bool:
        """Whether a class or function is generated anew."""
        if name in self.functions:
            return True
        found = self.classes.get(name)
        return found is not None and (
            bool(found.waits) or any(self.has_twin(one) for one in (*found.bases, *found.attributes.values()))
        )


class Scope:
    """One function: the types of its names, and the calls in it that wait."""

    def __init__(self, program: Program, node: ast.FunctionDef, owner: str | None, outer: Scope | None = None) -> None:
        self.program = program
        self.node = node
        self.types: dict[str, str] = dict(outer.types) if outer else {}
        self.types |= {"self": owner or ""} if outer is None else {}
        self.types |= _parameters(node)
        self.iterators: set[str] = set()
        self.inner = {
            one.name: Scope(program, one, owner, self) for one in self.own() if isinstance(one, ast.FunctionDef)
        }
        for one in self.own():
            if isinstance(one, ast.With):
                for item in one.items:
                    call = item.context_expr
                    if isinstance(item.optional_vars, ast.Name) and isinstance(call, ast.Call):
                        kind = ast.unparse(call.func)
                        streams = self.waits(call) == "with" and not kind.startswith("httpx")
                        self.types[item.optional_vars.id] = (
                            "httpx.Response" if streams or kind.endswith(".stream") else kind
                        )
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name) and isinstance(one.value, ast.Call):
                if self.waits(one.value) == "for":
                    self.iterators.add(one.targets[0].id)
                elif ast.unparse(one.value.func) in program.classes:
                    self.types[one.targets[0].id] = ast.unparse(one.value.func)

    def own(self) -> Iterator[ast.AST]:
        """The nodes of this function without those of functions in it."""
        todo: list[ast.AST] = list(self.node.body)
        while todo:
            one = todo.pop(0)
            yield one
            if not isinstance(one, ast.FunctionDef | ast.Lambda):
                todo[:0] = ast.iter_child_nodes(one)

    def how(self) -> str | None:
        """How the function waits, if it does."""
        own = list(self.own())
        calls = any(isinstance(one, ast.Call) and self.waits(one) for one in own)
        if not (calls or any(isinstance(one, ast.For) and self.iterates(one.iter) for one in own)):
            return None
        if any(isinstance(one, ast.Name) and one.id == "contextmanager" for one in self.node.decorator_list):
            return "with"
        return "for" if any(isinstance(one, ast.Yield | ast.YieldFrom) for one in own) else "await"

    def iterates(self, node: ast.expr) -> bool:
        """Whether an expression is an asynchronous iterator."""
        return (isinstance(node, ast.Call) and self.waits(node) == "for") or (
            isinstance(node, ast.Name) and node.id in self.iterators
        )

    def waits(self, call: ast.Call) -> str | None:
        """How a call waits, if it does."""
        match call.func:
            case ast.Name(id=name) if name in self.inner:
                return self.inner[name].how()
            case ast.Name(id=name) if name in BLOCKING or self.types.get(name) == "Waiting":
                return "await"
            case ast.Name(id=name):
                return self.program.functions.get(name)
            case ast.Attribute(value=ast.Name(id="time"), attr="sleep"):
                return "await"
            case ast.Attribute(value=ast.Name(id="live"), attr=name):
                return self.program.functions.get(name)
            case ast.Attribute(value=value, attr=name):
                return self.program.method(self.type_of(value), name)
            case _:
                return None

    def type_of(self, node: ast.expr) -> str:
        """The class of an expression, as far as annotations tell it."""
        match node:
            case ast.Name():
                return self.types.get(node.id, "")
            case ast.Attribute(value=value, attr=name):
                return self.program.attribute(self.type_of(value), name)
            case _:
                return ""


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, str]:
    given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    return {one.arg: _annotated(one.annotation) for one in given if one.annotation is not None}


def _annotated(annotation: ast.expr | None) -> str:
    match annotation:
        case ast.Subscript(value=value):
            return ast.unparse(value)
        case None:
            return ""
        case _:
            return ast.unparse(annotation)
