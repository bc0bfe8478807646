"""Building canonical text of symbolic expressions bottom-up: like terms collected, commutative arguments sorted.

Only rules that hold for all reals and keep the value are applied; nothing else is simplified, so equal text means
equal expressions, and different text does not have to mean different ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from msgspec import Struct

_ATOM, _POW, _NOT, _MUL, _DIV, _ADD, _AND, _OR, _REL = 100, 90, 85, 80, 79, 70, 50, 45, 40
_DIGITS = re.compile(r"(\d+)")
_RELATIONS = {
    "StrictLessThan": "<", "LessThan": "<=", "StrictGreaterThan": ">", "GreaterThan": ">=",
    "Lt": "<", "Le": "<=", "Gt": ">", "Ge": ">=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}  # fmt: skip
_ALIASES = {
    "Equality": "Eq", "==": "Eq", "Unequality": "Ne", "!=": "Ne", "%": "Mod", "//": "FloorDiv", "CleanDiv": "FloorDiv", "ExprCondPair": "Tuple", "<<": "LShift",
    ">>": "RShift", "&": "And", "and": "And", "|": "Or", "or": "Or", "~": "Not", "not": "Not",
}  # fmt: skip
_COMMUTATIVE = {"Max", "Min", "Eq", "Ne", "And", "Or"}
_ATOMS = {"true": "True", "false": "False", "IntInfinity": "int_oo", "NegativeIntInfinity": "-int_oo"}
_MAX_EXPONENT = 64
_MAX_BITS = 256
_MAX_SPREAD = 64
"""Terms of a sum over which a number is spread: what torch writes is spread already, and hostile text nests sums."""


class Expr(Struct, frozen=True, gc=False):
    """One canonical expression: its text and how tightly it binds.

    A number has `number`; a product `coefficient` and `factors` (text, base, exponent); a sum `terms` (coefficient,
    body). Anything else is text only.
    """

    text: str
    binds: int = _ATOM
    number: Fraction | None = None
    coefficient: Fraction = Fraction(1)
    factors: tuple[tuple[Expr, int], ...] = ()
    terms: tuple[tuple[Fraction, Expr], ...] = ()
    string: bool = False


def symbol(name: str) -> Expr:
    """Return a symbol or a named constant."""
    return Expr(_ATOMS.get(name, name))


def number(value: Fraction) -> Expr:
    """Return an exact number."""
    return Expr(str(value), _ATOM if value.denominator == 1 and value >= 0 else _MUL, number=value)


def real(text: str) -> Expr:
    """Return a floating-point number: the shortest text of the nearest double."""
    value = repr(float(text))
    if value in ("inf", "-inf", "nan"):
        raise ValueError(text)
    return Expr(value, _ATOM if value[0] != "-" else _MUL)


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Order text so that ``s2`` comes before ``s10``."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(text[:400]) if part)


def _wrap(expr: Expr, binds: int) -> str:
    return expr.text if expr.binds > binds else f"({expr.text})"


def add(operands: Iterable[Expr]) -> Expr:
    """Return a sum, like terms collected; ``b + 2*a + 1`` is written ``2*a + b + 1``."""
    constant = Fraction(0)
    found: dict[str, tuple[Fraction, Expr]] = {}
    for operand in operands:
        for factor, body in operand.terms or ((Fraction(1), operand),):
            if body.number is not None:
                constant += factor * body.number
                continue
            inner = _body(body)
            scale = factor * body.coefficient
            found[inner.text] = (found[inner.text][0] + scale if inner.text in found else scale, inner)
    terms = [(scale, body) for scale, body in found.values() if scale]
    terms.sort(key=lambda term: (natural(term[1].text), term[1].text))
    if not terms:
        return number(constant)
    if constant:
        terms.append((constant, number(Fraction(1))))
    if len(terms) == 1:
        return multiply([number(terms[0][0]), terms[0][1]])
    pieces = [_scaled(*term) for term in terms]
    text = pieces[0] + "".join(f" - {p[1:]}" if p[0] == "-" else f" + {p}" for p in pieces[1:])
    return Expr(text, _ADD, terms=tuple(terms))


def _body(expr: Expr) -> Expr:
    """Return a product without its coefficient."""
    return _product(Fraction(1), expr.factors) if expr.factors and expr.coefficient != 1 else expr


def _scaled(scale: Fraction, body: Expr) -> str:
    return number(scale * body.number).text if body.number is not None else multiply([number(scale), body]).text


def multiply(operands: Iterable[Expr]) -> Expr:
    """Return a product, equal bases collected, a number spread over a sum: ``2*(a + 1)`` becomes ``2*a + 2``."""
    coefficient = Fraction(1)
    found: dict[str, tuple[Expr, int]] = {}
    for operand in operands:
        if operand.number is not None:
            coefficient *= operand.number
            continue
        coefficient *= operand.coefficient
        for base, exponent in operand.factors or ((operand, 1),):
            found[base.text] = (base, exponent + found[base.text][1] if base.text in found else exponent)
    factors = sorted(
        ((base, exponent) for base, exponent in found.values() if exponent),
        key=lambda factor: (natural(factor[0].text), factor[0].text),
    )
    return _product(coefficient, tuple(factors))


def _product(coefficient: Fraction, factors: tuple[tuple[Expr, int], ...]) -> Expr:
    if not factors or not coefficient:
        return number(coefficient)
    base, exponent = factors[0]
    if len(factors) == 1 and exponent == 1:
        if coefficient == 1:
            return base
        if 0 < len(base.terms) <= _MAX_SPREAD:
            return add(multiply([number(coefficient * scale), body]) for scale, body in base.terms)
    above = [_power_text(base, exponent) for base, exponent in factors if exponent > 0]
    below = [_power_text(base, -exponent) for base, exponent in factors if exponent < 0]
    if abs(coefficient.numerator) != 1 or not above:
        above.insert(0, str(abs(coefficient.numerator)))
    if coefficient.denominator != 1:
        below.append(str(coefficient.denominator))
    text = "*".join(above) + "".join(f"/{part}" for part in below)
    alone = len(above) == 1 and not below and coefficient > 0
    return Expr(
        text if coefficient > 0 else f"-{text}", _POW if alone else _MUL, coefficient=coefficient, factors=factors
    )


def _power_text(base: Expr, exponent: int) -> str:
    if exponent == 1:
        return _wrap(base, _MUL)
    return f"{_wrap(base, _POW)}**{exponent}"


def power(base: Expr, exponent: Expr) -> Expr:
    """Return a power; evaluated where both are small integers."""
    times = exponent.number
    if times is None or times.denominator != 1 or abs(times) > _MAX_EXPONENT:
        return Expr(f"{_wrap(base, _POW)}**{_wrap(exponent, _POW)}", _POW)
    count = int(times)
    if base.number is not None:
        exact = base.number or count > 0
        if exact and max(base.number.numerator.bit_length(), base.number.denominator.bit_length()) <= _MAX_BITS:
            return number(base.number**count)
        return Expr(f"{_wrap(base, _POW)}**{_wrap(exponent, _POW)}", _POW)
    if base.factors:
        return (
            multiply(
                [
                    power(number(base.coefficient), exponent),
                    _product(Fraction(1), tuple((inner, times * count) for inner, times in base.factors))
                    if count
                    else base,
                ]
            )
            if count
            else number(Fraction(1))
        )
    return _product(Fraction(1), ((base, count),)) if count else number(Fraction(1))


def call(name: str, operands: list[Expr]) -> Expr:
    """Return any other function or relation of `operands`, written infix where torch writes it so."""
    if name in _RELATIONS and len(operands) == 2:
        return Expr(f"{_wrap(operands[0], _REL)} {_RELATIONS[name]} {_wrap(operands[1], _REL)}", _REL)
    name = _ALIASES.get(name, name)
    if name in _COMMUTATIVE:
        operands = sorted(operands, key=lambda operand: (natural(operand.text), operand.text))
    if name == "FloorDiv" and len(operands) == 2:
        return Expr(f"{_wrap(operands[0], _MUL)}//{_wrap(operands[1], _MUL)}", _DIV)
    if name in ("And", "Or") and len(operands) > 1:
        sign, binds = (" & ", _AND) if name == "And" else (" | ", _OR)
        return Expr(sign.join(_wrap(operand, binds) for operand in operands), binds)
    if name == "Not" and len(operands) == 1:
        return Expr(f"~{_wrap(operands[0], _NOT)}", _NOT)
    if not operands and name in _ATOMS:
        return symbol(name)
    return Expr(f"{name}({', '.join(operand.text for operand in operands)})")


def named_call(name: str, operands: list[Expr]) -> Expr:
    """Return what a call in `srepr` stands for."""
    first = operands[0] if operands else None
    if first is not None and first.string:
        if name in ("Symbol", "Dummy", "Wild"):
            return symbol(first.text)
        return real(first.text) if name == "Float" else call(name, operands)
    if name == "Integer" and len(operands) == 1 and first is not None:
        return first
    if name == "Rational" and len(operands) == 2:
        return multiply([operands[0], power(operands[1], number(Fraction(-1)))])
    if name == "Pow" and len(operands) == 2:
        return power(*operands)
    if name == "sqrt" and len(operands) == 1:
        return power(operands[0], number(Fraction(1, 2)))
    if name == "Add":
        return add(operands)
    return multiply(operands) if name == "Mul" else call(name, operands)
