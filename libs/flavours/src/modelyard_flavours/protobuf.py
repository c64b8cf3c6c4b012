"""Just enough protocol buffers to read a model's header: fields in order, sub-messages on demand, weights passed over.

Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from modelyard_flavours.found import UnreadableError

_SHORT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` to `end` of a file: a message, a text or raw bytes."""

    file: BinaryIO
    start: int
    end: int

    def bytes(self) -> bytes:
        """Raises UnreadableError when there are more than 1 MiB."""
        if self.end - self.start > _SHORT:
            raise UnreadableError(f"a field of {self.end - self.start} bytes where a name was expected")
        self.file.seek(self.start)
        return self.file.read(self.end - self.start)

    def text(self) -> str:
        return self.bytes().decode("utf-8", "replace")

    def fields(self) -> Iterator[tuple[int, Span | int]]:
        """The message's fields: number, and a span or a whole number. Raises UnreadableError where it is none."""
        at = self.start
        while at < self.end:
            key, at = _varint(self.file, at, self.end)
            number, wire = key >> 3, key & 7
            match wire:
                case 0:
                    value, at = _varint(self.file, at, self.end)
                    yield number, value
                    continue
                case 1:
                    end = at + 8
                case 2:
                    length, at = _varint(self.file, at, self.end)
                    end = at + length
                case 5:
                    end = at + 4
                case _:
                    raise UnreadableError(f"no protocol buffer: wire type {wire} at {at}")
            if end > self.end or number == 0:
                raise UnreadableError(f"no protocol buffer, or cut off: a field at {at} ends at {end} of {self.end}")
            yield number, Span(self.file, at, end)
            at = end

    def spans(self, number: int) -> Iterator[Span]:
        """The fields of this number that are not whole numbers."""
        return (value for found, value in self.fields() if found == number and isinstance(value, Span))

    def first(self, number: int) -> Span | None:
        return next(self.spans(number), None)

    def number(self, number: int) -> int | None:
        return next((value for found, value in self.fields() if found == number and isinstance(value, int)), None)


def signed(value: int) -> int:
    """A varint as the int64 it stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value


def _varint(file: BinaryIO, at: int, end: int) -> tuple[int, int]:
    file.seek(at)
    data = file.read(min(10, end - at))
    value = 0
    for index, byte in enumerate(data):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise UnreadableError(f"no protocol buffer, or cut off at {at}")
