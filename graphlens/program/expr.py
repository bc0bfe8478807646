"""Symbolic expressions as canonical text, such as ``4*s77 + 1``, without sympy and without eval.

One small parser reads what `sympy.srepr` writes (``Add(Mul(Integer(4), Symbol('s77', integer=True)), Integer(1))``, the
form of archives since schema 8) and what `str` of an expression writes (the form before). Both come out as the same
text, and so does the text itself. The parser keeps its own stacks, so nesting cannot exhaust Python's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from graphlens.program import expr_terms as terms
from graphlens.program.expr_terms import Expr, natural

MAX_LENGTH = 20_000
"""Longer expressions are kept as they are written."""

_MAX_NESTING = 300
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<string>'[^'\\]*'|\"[^\"\\]*\")|(?P<sign>\*\*|//|<<|>>|<=|>=|==|!=|[-+*/%<>&|~(),=]))"
)
_BINDS = {
    "=": 1, "or": 2, "and": 3, "<": 5, "<=": 5, ">": 5, ">=": 5, "==": 5, "!=": 5, "|": 6, "&": 7,
    "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "//": 10, "%": 10, "**": 12,
}  # fmt: skip
_UNARY = {"not": 4, "~": 11, "-": 11, "+": 11}
_WORDS = {"True", "False", "oo", "int_oo", "zoo", "nan", "I", "pi", "E", "and", "or", "not"}
_IDENTIFIER = re.compile(r"(?<![\w'\"])([A-Za-z_]\w*)(?!\w|\s*\()")
_OPENED = re.compile(r"\s*\((\s*\))?")
_MINUS_ONE = Fraction(-1)
_KEYWORD = Expr("")

Sign = tuple[str, int, bool]
Chain = tuple[str, list[Expr]]
"""A sum or product that is still being read: kept flat, so that a long one takes linear time."""


class _NotAnExpressionError(ValueError):
    pass


class _Call:
    """An open parenthesis: of a call if it has a name."""

    __slots__ = ("name", "operands")

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.operands: list[Expr] = []


@lru_cache(maxsize=65536)
def canonical_expr(text: str) -> str:
    """Return the canonical text of a symbolic expression.

    Parameters
    ----------
    text
        What `sympy.srepr` or `str` wrote, or what this function returned.

    Returns
    -------
    str
        Infix text with sorted commutative arguments and collected like terms: ``4*s77 + 1``, ``Max(1, u0)``,
        ``(s0 + 1)//2``, ``u0 >= 0``. Text that is not an expression, or is longer than `MAX_LENGTH`, is
        returned as it is, without its outer blanks.
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        return text
    try:
        return _parse(text).text
    except (_NotAnExpressionError, ValueError, ZeroDivisionError, OverflowError, RecursionError):
        return text


@lru_cache(maxsize=65536)
def free_symbols(text: str) -> tuple[str, ...]:
    """Return the names of the symbols of a canonical expression, each once, ``s2`` before ``s10``."""
    return tuple(sorted({name for name in _IDENTIFIER.findall(text) if name not in _WORDS}, key=natural))


def rename_symbols(text: str, names: Mapping[str, str]) -> str:
    """Return a canonical expression with its symbols renamed at once, canonical again."""
    return canonical_expr(_IDENTIFIER.sub(lambda match: names.get(match[1], match[1]), text))


def _parse(text: str) -> Expr:
    operands: list[Expr | Chain] = []
    signs: list[_Call | Sign] = []
    position, expecting = 0, True
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or len(signs) > _MAX_NESTING:
            raise _NotAnExpressionError
        position = token.end()
        word = token[token.lastgroup or 0].strip()
        if expecting and token.lastgroup in ("number", "string"):
            operands.append(_literal(word))
            expecting = False
        elif expecting and token.lastgroup == "name" and word not in _UNARY:
            opened = _OPENED.match(text, position)
            if opened is None:
                operands.append(terms.symbol(word))
                expecting = False
            elif opened[1]:
                operands.append(terms.call(word, []))
                expecting = False
            else:
                signs.append(_Call(word))
            position = opened.end() if opened else position
        elif expecting and word == "(":
            signs.append(_Call(None))
        elif expecting and word in _UNARY:
            signs.append((word, _UNARY[word], True))
        elif not expecting and word in (")", ","):
            expecting = _close(operands, signs, word)
        elif not expecting and word in _BINDS:
            _reduce(operands, signs, _BINDS[word] + (word == "**"))
            signs.append((word, _BINDS[word], False))
            expecting = True
        else:
            raise _NotAnExpressionError
    if expecting:
        raise _NotAnExpressionError
    _reduce(operands, signs, 0)
    if signs or len(operands) != 1:
        raise _NotAnExpressionError
    return _finish(operands[0])


def _literal(word: str) -> Expr:
    if word[0] in "'\"":
        return Expr(word[1:-1], string=True)
    return terms.number(Fraction(int(word))) if word.isdecimal() else terms.real(word)


def _close(operands: list[Expr | Chain], signs: list[_Call | Sign], word: str) -> bool:
    """Read ``,`` or ``)``: end an argument, and with the second the call. Return whether an operand must follow."""
    _reduce(operands, signs, 0)
    top = signs[-1] if signs else None
    if not isinstance(top, _Call):
        raise _NotAnExpressionError
    top.operands.append(_finish(operands.pop()))
    if word == ",":
        return True
    signs.pop()
    if top.name is not None:
        operands.append(_made(top.name, [operand for operand in top.operands if operand is not _KEYWORD]))
    else:
        operands.append(top.operands[0] if len(top.operands) == 1 else terms.call("Tuple", top.operands))
    return False


def _reduce(operands: list[Expr | Chain], signs: list[_Call | Sign], binds: int) -> None:
    """Apply the operators that bind at least as tightly as `binds`, back to the open parenthesis."""
    while signs:
        top = signs[-1]
        if isinstance(top, _Call) or top[1] < binds:
            return
        signs.pop()
        right = _finish(operands.pop())
        if top[2]:
            negated = terms.multiply([terms.number(_MINUS_ONE), right])
            operands.append({"-": negated, "+": right}.get(top[0]) or terms.call(top[0], [right]))
        else:
            operands.append(_applied(top[0], operands.pop(), right))


def _applied(sign: str, left: Expr | Chain, right: Expr) -> Expr | Chain:
    if sign in "+-":
        added = right if sign == "+" else terms.multiply([terms.number(_MINUS_ONE), right])
        return _chained("+", left, added)
    if sign in ("*", "/"):
        inverse = terms.power(right, terms.number(_MINUS_ONE)) if sign == "/" else right
        return _chained("*", left, inverse)
    left = _finish(left)
    if sign == "=":
        return _KEYWORD
    return terms.power(left, right) if sign == "**" else terms.call(sign, [left, right])


def _chained(sign: str, left: Expr | Chain, right: Expr) -> Chain:
    if not isinstance(left, Expr) and left[0] == sign:
        left[1].append(right)
        return left
    return (sign, [_finish(left), right])


def _finish(operand: Expr | Chain) -> Expr:
    if isinstance(operand, Expr):
        return operand
    return terms.add(operand[1]) if operand[0] == "+" else terms.multiply(operand[1])


def _made(name: str, operands: list[Expr]) -> Expr:
    """Return what a call in `srepr` stands for."""
    first = operands[0] if operands else None
    if first is not None and first.string:
        if name in ("Symbol", "Dummy", "Wild"):
            return terms.symbol(first.text)
        return terms.real(first.text) if name == "Float" else terms.call(name, operands)
    if name == "Integer" and len(operands) == 1 and first is not None:
        return first
    if name == "Rational" and len(operands) == 2:
        return terms.multiply([operands[0], terms.power(operands[1], terms.number(_MINUS_ONE))])
    if name == "Pow" and len(operands) == 2:
        return terms.power(*operands)
    if name == "sqrt" and len(operands) == 1:
        return terms.power(operands[0], terms.number(Fraction(1, 2)))
    if name == "Add":
        return terms.add(operands)
    return terms.multiply(operands) if name == "Mul" else terms.call(name, operands)
