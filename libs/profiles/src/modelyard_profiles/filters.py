"""MLTable's filter expressions: `col("age") > 30 and not col("state") == "CA"`."""

import ast
import operator
from collections.abc import Callable
from typing import Any, Final

import pyarrow.compute as pc

from modelyard_profiles.errors import ProfileError

LONGEST: Final = 2_000
_COMPARED: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class FilterError(ProfileError):
    """An expression that is not one."""


def parse_filter(text: str) -> tuple[pc.Expression, frozenset[str]]:
    """The expression and the columns that it needs. Comparisons of columns and constants, joined by and, or, not.

    Raises FilterError. Nothing of it is ever evaluated as Python.
    """
    columns: set[str] = set()
    if len(text) > LONGEST:
        raise FilterError(f"the filter is longer than {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _condition(tree.body, columns), frozenset(columns)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise FilterError(f"{text[:100]!r} is no filter: {error}") from error


def _condition(node: ast.expr, columns: set[str]) -> Any:
    match node:
        case ast.BoolOp(op=op, values=values):
            joined = _condition(values[0], columns)
            for value in values[1:]:
                other = _condition(value, columns)
                joined = joined & other if isinstance(op, ast.And) else joined | other
            return joined
        case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
            return _condition(left, columns) & _condition(right, columns)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _condition(left, columns) | _condition(right, columns)
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
            return ~_condition(operand, columns)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_operand(side, columns) for side in (left, *comparators)]
            parts = [_compare(op, sides[at], sides[at + 1]) for at, op in enumerate(ops)]
            joined = parts[0]
            for part in parts[1:]:
                joined = joined & part
            return joined
        case _:
            raise FilterError(f'`{ast.unparse(node)[:100]}` is no condition, such as col("x") > 1')


def _compare(op: ast.cmpop, left: Any, right: Any) -> Any:
    compare = _COMPARED.get(type(op))
    if compare is None:
        raise FilterError("conditions compare with == != < <= > >=")
    if not (isinstance(left, pc.Expression) or isinstance(right, pc.Expression)):
        raise FilterError('a condition needs a column: col("x")')
    return compare(left, right)


def _operand(node: ast.expr, columns: set[str]) -> Any:
    match node:
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str(name))], keywords=[]):
            columns.add(name)
            return pc.field(name)
        case ast.Constant(value=str() | int() | float() | bool() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case _:
            raise FilterError(f'`{ast.unparse(node)[:100]}` is neither col("name") nor a number or text')
