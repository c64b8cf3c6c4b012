"""Reading pickles without running them: the opcodes are carried out on inert stand-ins, so that nothing is imported or called.

Sources: CPython's `pickletools`; joblib's numpy_pickle (arrays' bytes lie between the opcodes).
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickletools
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from modelyard_flavours.dangerous import is_dangerous
from modelyard_flavours.found import UnreadableError

MAX_OPCODES: Final = 2_000_000
MAX_BYTES: Final = 4 << 30
"""What is read of one pickle after it was decompressed, at most."""
_SHORT: Final = 1 << 16
"""Longer texts and bytes are passed over."""
_MAX_KEPT: Final = 64 << 20
"""Bytes of one file's texts and numbers that are held in memory, at most."""
_MAX_PICKLES: Final = 16

_DAMAGE: Final = (
    UnreadableError, ValueError, IndexError, KeyError, TypeError, AttributeError, EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """What an import would give."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class Made:
    """What a call would have made."""

    what: Any
    arguments: Any
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


class _Mark:
    """Where a run of values begins on the stack."""


class _Opaque:
    """A value that is not looked at."""


_OPAQUE: Final = _Opaque()


@dataclass(slots=True)
class Pickle:
    """What one file's pickles would make (`values`), and every name they import. `incomplete` says why the rest was not read."""

    values: list[Any] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    incomplete: str | None = None

    @property
    def root(self) -> Any:
        """The first value; None when there is none."""
        return self.values[0] if self.values else None

    def dangerous(self) -> list[str]:
        """The imports that could run anything, sorted."""
        return sorted(name for name in self.imports if is_dangerous(name))


def class_of(value: Any) -> str | None:
    """The full name of the class that a value would be of; None for what is no instance of one."""
    while isinstance(value, Made):
        if isinstance(value.what, Named):
            if str(value.what) in ("copyreg._reconstructor", "copy_reg._reconstructor", "copyreg.__newobj__"):
                value = value.arguments[0] if isinstance(value.arguments, tuple) and value.arguments else None
                return str(value) if isinstance(value, Named) else None
            return str(value.what)
        value = value.what
    return None


def state_of(value: Any) -> dict[Any, Any]:
    """An instance's attributes as far as they were read; empty without any."""
    state = value.state if isinstance(value, Made) else None
    if isinstance(state, tuple) and state:
        state = state[0]
    return state if isinstance(state, dict) else {}


def text_list(value: Any) -> list[str] | None:
    """The texts in a list or in a numpy array of objects; None for anything else."""
    if isinstance(value, Made) and isinstance(value.state, tuple) and len(value.state) == 5:
        value = value.state[4]  # numpy.ndarray.__setstate__: version, shape, dtype, Fortran order, items
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return value
    return None


def read_pickle(file: BinaryIO) -> Pickle:
    """Every pickle in a file, one after the other, compressed as joblib does or not. Raises UnreadableError when there is none."""
    reader = _Reader(_decompressed(file))
    found = Pickle()
    try:
        while len(found.values) < _MAX_PICKLES:
            found.values.append(_Machine(reader, found.imports).run())
            if reader.peek() not in (b"\x80", b"(", b"c", b"]", b"}"):
                break
    except _DAMAGE as error:
        if not found.values and not found.imports:
            raise UnreadableError(f"no pickle: {_reason(error)}") from error
        if not found.values:
            found.incomplete = _reason(error)
    return found


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, UnreadableError | EOFError) else "its opcodes make no sense"


class _Reader:
    """Reads forward, up to a limit."""

    def __init__(self, file: io.BufferedIOBase | BinaryIO) -> None:
        self._file = file
        self._ahead = b""
        self.position = 0
        self.steps = 0
        """Opcodes carried out, of all pickles in the file."""
        self.kept = 0

    def keep(self, size: int) -> None:
        """So many bytes more stay in memory."""
        self.kept += size
        if self.kept > _MAX_KEPT:
            raise UnreadableError(f"more than {_MAX_KEPT} bytes of texts")

    def read(self, size: int) -> bytes:
        if size > _SHORT * 16:
            raise UnreadableError(f"{size} bytes in one piece")
        data = self._ahead[:size]
        self._ahead = self._ahead[size:]
        data += self._file.read(size - len(data))
        if len(data) < size:
            raise EOFError("it ends in the middle")
        self._count(size)
        return data

    def peek(self) -> bytes:
        if not self._ahead:
            self._ahead = self._file.read(1)
        return self._ahead

    def readline(self) -> bytes:
        line = self._ahead
        self._ahead = b""
        line += self._file.readline(_SHORT * 16)
        if not line.endswith(b"\n"):
            raise UnreadableError("a line without an end")
        self._count(len(line))
        return line

    def skip(self, size: int) -> None:
        if size < 0:
            raise UnreadableError("a length below zero")
        while size:
            step = min(size, _SHORT * 16)
            self.read(step)
            size -= step

    def _count(self, size: int) -> None:
        self.position += size
        if self.position > MAX_BYTES:
            raise UnreadableError(f"more than {MAX_BYTES} bytes")


class _Zlib(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inflate = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            data = self._inflate.decompress(self._inflate.unconsumed_tail or self._file.read(_SHORT), len(buffer))
            if data or self._inflate.eof:
                buffer[: len(data)] = data
                return len(data)
            if not self._inflate.unconsumed_tail and not (more := self._file.read(_SHORT)):
                return 0
            if not self._inflate.unconsumed_tail:
                data = self._inflate.decompress(more, len(buffer))
                if data:
                    buffer[: len(data)] = data
                    return len(data)


def _decompressed(file: BinaryIO) -> io.BufferedIOBase | BinaryIO:
    head = file.read(6)
    file.seek(0)
    if head[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file)
    if head[:3] == b"BZh":
        return bz2.BZ2File(file)
    if head == b"\xfd7zXZ\x00" or head[:3] == b"\x5d\x00\x00":
        return lzma.LZMAFile(file)
    if head[:4] == b"\x04\x22\x4d\x18":
        raise UnreadableError("it is compressed with LZ4, which is not looked into")
    if head[:1] == b"\x78" and head[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda"):
        return io.BufferedReader(_Zlib(file))
    return file


_LONG: Final = {  # opcodes with a length and as many bytes: width of the length, and whether they are text
    "SHORT_BINBYTES": (1, False), "BINBYTES": (4, False), "BINBYTES8": (8, False), "BYTEARRAY8": (8, False), "SHORT_BINSTRING": (1, True),
    "BINSTRING": (4, True), "SHORT_BINUNICODE": (1, True), "BINUNICODE": (4, True), "BINUNICODE8": (8, True),
}  # fmt: skip
_OPCODES: Final = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_DTYPE: Final = re.compile(r"[<>|=]?([A-Za-z?])(\d*)$")


class _Machine:
    """Carries one pickle out. Source: the stack effects that `pickletools` documents."""

    def __init__(self, reader: _Reader, imports: set[str]) -> None:
        self._reader = reader
        self._imports = imports
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        while self._reader.steps < MAX_OPCODES:
            self._reader.steps += 1
            opcode = _OPCODES.get(self._reader.read(1))
            if opcode is None:
                raise UnreadableError(f"no opcode at {self._reader.position - 1}")
            if opcode.name == "STOP":
                return self.stack.pop()
            self._step(opcode.name, self._argument(opcode))
        raise UnreadableError(f"more than {MAX_OPCODES} opcodes")

    def _argument(self, opcode: Any) -> Any:
        if opcode.name not in _LONG:
            if opcode.arg is None:
                return None
            before = self._reader.position
            argument = opcode.arg.reader(self._reader)
            self._reader.keep(self._reader.position - before)
            return argument
        width, is_text = _LONG[opcode.name]
        length = int.from_bytes(self._reader.read(width), "little")
        if length > _SHORT:
            self._reader.skip(length)
            return _OPAQUE
        self._reader.keep(length)
        data = self._reader.read(length)
        return data.decode("utf-8", "surrogateescape") if is_text else data

    def to_mark(self) -> list[Any]:
        for at in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[at], _Mark):
                values = self.stack[at + 1 :]
                del self.stack[at:]
                return values
        raise UnreadableError("a mark is missing")

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if (handle := _STEPS.get(name)) is not None:
            handle(self, argument)
        elif name in _LONG or name in _PLAIN:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name not in ("PROTO", "FRAME", "READONLY_BUFFER"):
            raise UnreadableError(f"the opcode {name}")

    def named(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            module, name = "?", "put together while loading"  # nobody but an attacker does that
        self._imports.add(f"{module}.{name}")
        self.stack.append(Named(module, name))

    def build(self) -> None:
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, Made):
            made.state = state
            if (class_of(made) or "").endswith("NumpyArrayWrapper"):
                self.stack[-1] = self._array_after(state_of(made))

    def _array_after(self, wrapper: dict[Any, Any]) -> Any:
        """The array whose bytes joblib has put here."""
        dtype = wrapper.get("dtype")
        code = dtype.arguments[0] if isinstance(dtype, Made) and isinstance(dtype.arguments, tuple) else None
        match = _DTYPE.match(code) if isinstance(code, str) else None
        if match is None:
            raise UnreadableError("an array of an unknown type")
        if match[1] == "O":
            return _Machine(self._reader, self._imports).run()
        count = 1
        for size in wrapper.get("shape") or ():
            count *= size
        if wrapper.get("numpy_array_alignment_bytes"):
            self._reader.skip(self._reader.read(1)[0])
        self._reader.skip(count * int(match[2] or 1) * (4 if match[1] == "U" else 1))
        return _OPAQUE


def _push(make: Callable[[_Machine], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.stack.append(make(machine))


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return {key: value for key, value in zip(values[::2], values[1::2], strict=True) if _is_key(key)}


def _is_key(key: Any) -> bool:
    return isinstance(key, str | int | float | bool | bytes | type(None))


def _memoize(machine: _Machine, argument: Any) -> None:
    memo = machine.memo
    memo[len(memo) if argument is None else int(argument)] = machine.stack[-1]


def _add(machine: _Machine, values: list[Any]) -> None:
    into = machine.stack[-1]
    if isinstance(into, list):
        into.extend(values)


def _set(machine: _Machine, values: list[Any]) -> None:
    into = machine.stack[-1]
    if isinstance(into, dict):
        into.update(_pairs(values))
    elif isinstance(into, Made):  # an OrderedDict, for one
        into.items.update(_pairs(values))


def _pop(machine: _Machine, _: Any) -> None:
    machine.stack.pop()


def _pop_mark(machine: _Machine, _: Any) -> None:
    machine.to_mark()


def _reduce(machine: _Machine, _: Any) -> None:
    arguments, what = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(Made(what, arguments))


def _new_with_keywords(machine: _Machine, _: Any) -> None:
    machine.stack.pop()
    _reduce(machine, None)


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.named(module, name)


def _object(machine: _Machine, _: Any) -> None:
    what, *arguments = machine.to_mark()
    machine.stack.append(Made(what, tuple(arguments)))


def _instance(machine: _Machine, argument: Any) -> None:
    arguments = tuple(machine.to_mark())
    machine.named(*argument.split(" ", 1))
    machine.stack.append(Made(machine.stack.pop(), arguments))


def _extension(machine: _Machine, argument: Any) -> None:
    machine.named("?", f"extension {argument}")


def _last(machine: _Machine, count: int) -> list[Any]:
    values = machine.stack[-count:]
    del machine.stack[-count:]
    return values


_PLAIN: Final = frozenset(
    ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "UNICODE")
)
_CONSTANTS: Final[dict[str, Callable[[], Any]]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple,
    "EMPTY_SET": list, "MARK": _Mark, "PERSID": lambda: _OPAQUE, "NEXT_BUFFER": lambda: _OPAQUE,
}  # fmt: skip
_STEPS: Final[dict[str, Callable[[_Machine, Any], None]]] = {
    "POP": _pop, "POP_MARK": _pop_mark,
    "DUP": _push(lambda m: m.stack[-1]),
    "LIST": _push(lambda m: m.to_mark()), "TUPLE": _push(lambda m: tuple(m.to_mark())),
    "FROZENSET": _push(lambda m: m.to_mark()), "DICT": _push(lambda m: _pairs(m.to_mark())),
    "TUPLE1": _push(lambda m: tuple(_last(m, 1))), "TUPLE2": _push(lambda m: tuple(_last(m, 2))),
    "TUPLE3": _push(lambda m: tuple(_last(m, 3))), "BINPERSID": _push(lambda m: Made(_OPAQUE, _last(m, 1)[0])),
    "APPEND": lambda m, _: _add(m, _last(m, 1)), "APPENDS": lambda m, _: _add(m, m.to_mark()),
    "ADDITEMS": lambda m, _: _add(m, m.to_mark()), "SETITEM": lambda m, _: _set(m, _last(m, 2)),
    "SETITEMS": lambda m, _: _set(m, m.to_mark()),
    "PUT": _memoize, "BINPUT": _memoize, "LONG_BINPUT": _memoize, "MEMOIZE": _memoize,
    "GET": lambda m, a: m.stack.append(m.memo[int(a)]), "BINGET": lambda m, a: m.stack.append(m.memo[a]),
    "LONG_BINGET": lambda m, a: m.stack.append(m.memo[a]),
    "GLOBAL": lambda m, a: m.named(*a.split(" ", 1)), "STACK_GLOBAL": _stack_global, "REDUCE": _reduce, "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_with_keywords, "OBJ": _object, "INST": _instance, "BUILD": lambda m, _: m.build(),
    "EXT1": _extension, "EXT2": _extension, "EXT4": _extension,
}  # fmt: skip


def warnings_of(names: Iterable[str]) -> str:
    """What a list of dangerous imports means, in words."""
    listed = sorted(names)
    return f"loading it may run anything: it imports {', '.join(listed[:10])}" + (" …" if len(listed) > 10 else "")
