"""`/score` bodies ↔ named arrays.

In: `{"input_data": {"columns": […], "index"?: […], "data": [[…]]}}`, `{"input_data": [{column: value}, …]}`, or
`{"input_data": [[…]]}` with every column in the model's order. Out: the list of predictions, one per row (what
`predict` gives in Python); probabilities and further outputs are answered by the V2 routes. The common case is
checked with a few C-speed passes over the values; only when one of them finds something wrong is the table walked
cell by cell, to say which cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final

import numpy as np
import orjson

from modelyard_platform.errors import InvalidError
from modelyard_runtime.replica.onnx_model import Feed, Outputs
from modelyard_runtime.replica.signature import Signature, Tensor

_FLOATS: Final = frozenset({float, int})
_FLOATS_OR_NULL: Final = frozenset({float, int, type(None)})
_INTS: Final = frozenset({int})
_BOOLS: Final = frozenset({bool})
_TEXTS: Final = frozenset({str})
_KNOWN_ORDERS: Final = 64  # column orders remembered; clients use one or two

Rows = Sequence[Sequence[Any]]


class TableDecoder:
    """Turns decoded JSON into the arrays a model takes.

    Raises:
        InvalidError: always with `path`, the place in the body, such as `input_data.data[3][2]`.
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._features = list(signature.features)
        self._width = len(self._features)
        self._orders: dict[tuple[str, ...], itemgetter[Any]] = {}
        kinds = signature.inputs if signature.layout == "columns" else signature.inputs * self._width
        self._tensors: tuple[Tensor, ...] = tuple(kinds) if signature.layout != "tensors" else ()
        self._pick = itemgetter(*self._features) if self._width > 1 else None

    def decode(self, body: bytes) -> tuple[Feed, int]:
        """The arrays and the number of rows in a request's body."""
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise InvalidError(
                f"the body is not JSON: {error}", code="invalid_json", path="", line=error.lineno
            ) from None
        if type(document) is not dict or "input_data" not in document:
            raise InvalidError(
                'the body has to be an object with "input_data"', code="invalid_input", path="input_data"
            )
        if not self._tensors:
            raise InvalidError(
                "this model takes tensors, not a table: use /v2/models/<name>/infer",
                code="not_tabular",
                path="input_data",
            )
        given = document["input_data"]
        if type(given) is dict:
            return self._split(given)
        if type(given) is not list:
            raise InvalidError(
                'input_data has to be {"columns", "data"} or a list of rows', code="invalid_input", path="input_data"
            )
        if not given:
            raise InvalidError("input_data has no rows", code="no_rows", path="input_data")
        kinds = set(map(type, given))
        if kinds == {dict}:
            return self._records(given)
        if kinds == {list}:
            return self._arrays(given, "input_data[{row}][{column}]", "input_data[{row}]")
        raise InvalidError("the rows have to be all objects or all lists", code="invalid_input", path="input_data")

    def _split(self, given: dict[str, Any]) -> tuple[Feed, int]:
        rows = given.get("data")
        if type(rows) is not list:
            raise InvalidError('"data" has to be a list of rows', code="invalid_input", path="input_data.data")
        if not rows:
            raise InvalidError("data has no rows", code="no_rows", path="input_data.data")
        index = given.get("index")
        if index is not None and (type(index) is not list or len(index) != len(rows)):
            raise InvalidError(
                f'"index" has to be a list of {len(rows)}, one per row', code="invalid_input", path="input_data.index"
            )
        if set(map(type, rows)) != {list}:
            row = next(row for row, values in enumerate(rows) if type(values) is not list)
            raise InvalidError("a row has to be a list", code="wrong_shape", path=f"input_data.data[{row}]")
        columns = given.get("columns")
        order: list[str] | None = None
        if columns is None:
            pass
        elif columns == self._features:
            order = self._features
        elif self._signature.names_known:
            pick = self._order(columns)
            if set(map(len, rows)) != {len(columns)}:
                row = next(row for row, values in enumerate(rows) if len(values) != len(columns))
                raise _wrong_width(len(rows[row]), len(columns), f"input_data.data[{row}]")
            rows = list(map(pick, rows)) if self._width > 1 else rows
            order = columns
        elif type(columns) is not list or len(columns) != self._width:
            raise InvalidError(
                f"the model takes {self._width} columns, {len(columns) if type(columns) is list else 'no list'} given",
                code="wrong_shape",
                path="input_data.columns",
            )
        return self._arrays(rows, "input_data.data[{row}][{column}]", "input_data.data[{row}]", order)

    def _order(self, columns: Any) -> itemgetter[Any]:
        """The permutation from the request's columns to the model's, checked once per order."""
        try:
            key = tuple(columns)
            known = self._orders.get(key)
        except TypeError:
            raise InvalidError(
                '"columns" has to be a list of names', code="invalid_input", path="input_data.columns"
            ) from None
        if known is not None:
            return known
        self._check_names(key, "input_data.columns")
        if len(set(key)) != len(key):
            twice = next(name for name in key if key.count(name) > 1)
            raise InvalidError(
                f"column {twice!r} is given twice", code="duplicate_column", path="input_data.columns", column=twice
            )
        pick: itemgetter[Any] = itemgetter(*(key.index(name) for name in self._features))
        if len(self._orders) < _KNOWN_ORDERS:
            self._orders[key] = pick
        return pick

    def _records(self, given: list[dict[str, Any]]) -> tuple[Feed, int]:
        if set(map(len, given)) != {self._width}:
            for row, record in enumerate(given):
                self._check_names(tuple(record), f"input_data[{row}]")
        try:
            rows = list(map(self._pick, given)) if self._pick else [(record[self._features[0]],) for record in given]
        except KeyError:
            for row, record in enumerate(given):
                self._check_names(tuple(record), f"input_data[{row}]")
            raise
        return self._arrays(rows, "input_data[{row}].{name}", "input_data[{row}]")

    def _check_names(self, names: tuple[Any, ...], path: str) -> None:
        given = set(names)
        missing = [name for name in self._features if name not in given]
        unknown = [name for name in names if name not in self._features]
        if unknown:
            raise InvalidError(
                f"unknown column {unknown[0]!r}; the model takes {self._features}"
                + (f"; missing: {missing}" if missing else ""),
                code="unknown_column",
                path=path,
                column=unknown[0],
            )
        if missing:
            raise InvalidError(f"missing columns {missing}", code="missing_column", path=path, column=missing[0])

    def _arrays(self, rows: Rows, cell: str, line: str, order: list[str] | None = None) -> tuple[Feed, int]:
        width = self._width
        if set(map(len, rows)) != {width}:
            row = next(row for row, values in enumerate(rows) if len(values) != width)
            raise _wrong_width(len(rows[row]), width, line.format(row=row))
        inputs = self._signature.inputs
        try:
            if self._signature.layout == "matrix":
                array = _array(rows, set(map(type, chain.from_iterable(rows))), inputs[0])
                if array is not None:
                    return {inputs[0].name: array}, len(rows)
            else:
                feed = self._columns(rows)
                if feed is not None:
                    return feed, len(rows)
        except (ArithmeticError, TypeError, ValueError):
            pass
        raise self._culprit(rows, cell, order)

    def _columns(self, rows: Rows) -> Feed | None:
        feed: Feed = {}
        for tensor, values in zip(self._signature.inputs, zip(*rows, strict=True), strict=True):
            array = _array(values, set(map(type, values)), tensor)
            if array is None:
                return None
            feed[tensor.name] = array if len(tensor.shape) == 1 else array.reshape(-1, 1)
        return feed

    def _culprit(self, rows: Rows, cell: str, order: list[str] | None) -> InvalidError:
        """The first cell that no column of its type can hold."""
        for row, values in enumerate(rows):
            for column, (value, tensor) in enumerate(zip(values, self._tensors, strict=True)):
                try:
                    fits = _array([value], {type(value)}, tensor) is not None
                except (ArithmeticError, TypeError, ValueError):
                    fits = False
                if not fits:
                    name = self._features[column]
                    position = order.index(name) if order else column
                    return InvalidError(
                        f"column {name!r} takes {_WORDS[tensor.dtype.kind]}, not {_shown(value)}",
                        code="wrong_type",
                        path=cell.format(row=row, column=position, name=name),
                        column=name,
                    )
        return InvalidError("the rows do not fit the model's columns", code="invalid_input", path="input_data")


_WORDS: Final = {
    "f": "a number or null",
    "i": "a whole number",
    "u": "a whole number, not negative",
    "b": "true or false",
    "O": "a text",
}


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else text[:77] + "…"


def _wrong_width(given: int, wanted: int, path: str) -> InvalidError:
    return InvalidError(f"the row has {given} values, {wanted} are needed", code="wrong_shape", path=path)


def _array(values: Sequence[Any], kinds: set[type], tensor: Tensor) -> np.ndarray[Any, Any] | None:
    """The values as the tensor's type, or None when one of them is of another.

    Never converts what would change the value's meaning.
    """
    match tensor.dtype.kind:
        case "f":
            if not kinds <= _FLOATS_OR_NULL:
                return None
            with np.errstate(over="raise"):  # 1e300 is no float32: refused, not made infinite
                if kinds <= _FLOATS:
                    return np.array(values, dtype=tensor.dtype)
                return np.array(values, dtype=np.float64).astype(tensor.dtype)  # null becomes NaN
        case "i" | "u":
            if kinds <= _INTS:
                return np.array(values, dtype=tensor.dtype)
            if kinds <= _FLOATS:  # 3.0 is a whole number: pandas and JavaScript write it so
                floats = np.array(values, dtype=np.float64)
                whole = floats.astype(tensor.dtype)
                return whole if np.array_equal(whole.astype(np.float64), floats) else None
            return None
        case "b":
            return np.array(values, dtype=np.bool_) if kinds <= _BOOLS else None
        case _:
            return np.array(values, dtype=np.object_) if kinds <= _TEXTS else None


def example(signature: Signature, feed: Feed) -> bytes:
    """A `/score` body of one row, from named arrays."""
    if signature.layout == "matrix":
        row = feed[signature.inputs[0].name][0].tolist()
    else:
        row = [feed[name].reshape(-1)[0].item() if feed[name].dtype.kind != "O" else "" for name in signature.features]
    return orjson.dumps({"input_data": {"columns": list(signature.features), "data": [row]}})


def encode_predictions(outputs: Outputs) -> bytes:
    """The first output as a JSON list with one entry per row: a scalar where the output is [N] or [N, 1], else a
    list."""
    first = outputs[0]
    if first.ndim == 2 and first.shape[1] == 1:
        first = first.ravel()
    if first.dtype.kind == "O":
        return orjson.dumps(first.tolist())
    return orjson.dumps(np.ascontiguousarray(first), option=orjson.OPT_SERIALIZE_NUMPY)
