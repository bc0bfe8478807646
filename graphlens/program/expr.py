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

_SHORT = 500
"""Characters of an expression that is remembered: what a process keeps does not grow with hostile files."""

_MAX_NESTING = 200
_MAX_WORK = 10_000
"""Terms and factors collected in one expression, over all its sums and products: sums in sums in sums would be slow."""

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


class _Stacks:
    """What is being read: operands, the operators and open calls before them, and the work that is left."""

    __slots__ = ("operands", "signs", "work")

    def __init__(self) -> None:
        self.operands: list[Expr | Chain] = []
        self.signs: list[_Call | Sign] = []
        self.work = _MAX_WORK

    def finish(self, operand: Expr | Chain) -> Expr:
        """Collect a chain."""
        if isinstance(operand, Expr):
            return operand
        self.spend(operand[1])
        return terms.add(operand[1]) if operand[0] == "+" else terms.multiply(operand[1])

    def spend(self, operands: list[Expr]) -> None:
        self.work -= sum(max(len(operand.terms), len(operand.factors), 1) for operand in operands)
        if self.work < 0:
            raise _NotAnExpressionError


class _Call:
    """An open parenthesis: of a call if it has a name."""

    __slots__ = ("name", "operands")

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.operands: list[Expr] = []


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
    return _canonical_cached(text) if len(text) <= _SHORT else _canonical(text)


def _canonical(text: str) -> str:
    text = text.strip()
    if len(text) > MAX_LENGTH:
        return text
    try:
        return _parse(text).text
    except (_NotAnExpressionError, ValueError, ZeroDivisionError, OverflowError):
        return text


_canonical_cached = lru_cache(maxsize=16384)(_canonical)


def free_symbols(text: str) -> tuple[str, ...]:
    """Return the names of the symbols of a canonical expression, each once, ``s2`` before ``s10``."""
    return _free_symbols_cached(text) if len(text) <= _SHORT else _free_symbols(text)


def _free_symbols(text: str) -> tuple[str, ...]:
    return tuple(sorted({name for name in _IDENTIFIER.findall(text) if name not in _WORDS}, key=natural))


_free_symbols_cached = lru_cache(maxsize=16384)(_free_symbols)


def rename_symbols(text: str, names: Mapping[str, str]) -> str:
    """Return a canonical expression with its symbols renamed at once, canonical again."""
    return canonical_expr(_IDENTIFIER.sub(lambda match: names.get(match[1], match[1]), text))


def _parse(text: str) -> Expr:
    stacks = _Stacks()
    operands, signs = stacks.operands, stacks.signs
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
            if opened is not None and not opened[1]:
                signs.append(_Call(word))
            else:
                operands.append(terms.symbol(word) if opened is None else terms.call(word, []))
                expecting = False
            position = opened.end() if opened else position
        elif expecting and word == "(":
            signs.append(_Call(None))
        elif expecting and word in _UNARY:
            signs.append((word, _UNARY[word], True))
        elif not expecting and word in (")", ","):
            expecting = _close(stacks, word)
        elif not expecting and word in _BINDS:
            _reduce(stacks, _BINDS[word] + (word == "**"))
            signs.append((word, _BINDS[word], False))
            expecting = True
        else:
            raise _NotAnExpressionError
    if expecting:
        raise _NotAnExpressionError
    _reduce(stacks, 0)
    if signs or len(operands) != 1:
        raise _NotAnExpressionError
    return stacks.finish(operands[0])


def _literal(word: str) -> Expr:
    if word[0] in "'\"":
        return Expr(word[1:-1], string=True)
    return terms.number(Fraction(int(word))) if word.isdecimal() else terms.real(word)


def _close(stacks: _Stacks, word: str) -> bool:
    """Read ``,`` or ``)``: end an argument, and with the second the call. Return whether an operand must follow."""
    _reduce(stacks, 0)
    top = stacks.signs[-1] if stacks.signs else None
    if not isinstance(top, _Call):
        raise _NotAnExpressionError
    top.operands.append(stacks.finish(stacks.operands.pop()))
    if word == ",":
        return True
    stacks.signs.pop()
    stacks.spend(top.operands)
    if top.name is not None:
        made = terms.named_call(top.name, [operand for operand in top.operands if operand is not _KEYWORD])
    else:
        made = top.operands[0] if len(top.operands) == 1 else terms.call("Tuple", top.operands)
    stacks.operands.append(made)
    return False


def _reduce(stacks: _Stacks, binds: int) -> None:
    """Apply the operators that bind at least as tightly as `binds`, back to the open parenthesis."""
    while stacks.signs:
        top = stacks.signs[-1]
        if isinstance(top, _Call) or top[1] < binds:
            return
        stacks.signs.pop()
        right = stacks.finish(stacks.operands.pop())
        if top[2]:
            stacks.operands.append(
                _negated(right) if top[0] == "-" else right if top[0] == "+" else terms.call(top[0], [right])
            )
        else:
            stacks.operands.append(_applied(stacks, top[0], stacks.operands.pop(), right))


def _negated(expr: Expr) -> Expr:
    return terms.multiply([terms.number(_MINUS_ONE), expr])


def _applied(stacks: _Stacks, sign: str, left: Expr | Chain, right: Expr) -> Expr | Chain:
    if sign in "+-":
        return _chained(stacks, "+", left, right if sign == "+" else _negated(right))
    if sign in ("*", "/"):
        return _chained(stacks, "*", left, terms.power(right, terms.number(_MINUS_ONE)) if sign == "/" else right)
    left = stacks.finish(left)
    if sign == "=":
        return _KEYWORD
    return terms.power(left, right) if sign == "**" else terms.call(sign, [left, right])


def _chained(stacks: _Stacks, sign: str, left: Expr | Chain, right: Expr) -> Chain:
    if not isinstance(left, Expr) and left[0] == sign:
        left[1].append(right)
        return left
    return (sign, [stacks.finish(left), right])
