"""Programs built as data, with edits whose truth is known: a mixture-of-experts decoder of equal layers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from graphlens.program.argument import Argument, Ref, Seq
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph, ModuleCall, Node
from graphlens.program.parts import InputSpec, OutputSpec
from graphlens.program.program import Program
from graphlens.program.value import TensorValue

HIDDEN = TensorValue(shape=(8, 64), dtype="float32", stride=(64, 1))
WEIGHT = TensorValue(shape=(64, 64), dtype="float32", stride=(64, 1))
ORDERED = ("aten.sub.Tensor", "aten.div.Tensor", "aten.matmul.default", "aten.pow.Tensor_Tensor")


@dataclass
class Draft:
    """One node before it has a name: operands by number, literals as they are."""

    target: str
    operands: list[int] = field(default_factory=list)
    literals: tuple[Argument, ...] = ()
    module: str = ""
    op: str = "call_function"
    fqn: str = ""


@dataclass
class Truth:
    """A pair of programs and which node of `a` each node of `b` was."""

    a: Program
    b: Program
    mates: dict[str, str]


class Builder:
    """Collects drafts."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.module = ""

    def add(
        self, target: str, *operands: int, literals: tuple[Argument, ...] = (), op: str = "call_function", fqn: str = ""
    ) -> int:
        self.drafts.append(Draft(target, list(operands), literals, self.module, op, fqn))
        return len(self.drafts) - 1

    def weight(self, fqn: str) -> int:
        return self.add("p_" + fqn.replace(".", "_"), op="placeholder", fqn=fqn)

    def linear(self, x: int, fqn: str) -> int:
        return self.add("aten.linear.default", x, self.weight(fqn + ".weight"))


def decoder(layers: int = 64, experts: int = 64) -> list[Draft]:
    """`layers` equal layers; 25 nodes per expert and weights among them."""
    build = Builder()
    x = build.add("x", op="placeholder")
    for i in range(layers):
        x = _layer(build, x, f"layers.{i}", experts)
    build.module = ""
    build.add("output", x, op="output")
    return build.drafts


def _norm(build: Builder, x: int, fqn: str) -> int:
    build.module = fqn
    square = build.add("aten.pow.Tensor_Scalar", x, literals=(2,))
    mean = build.add("aten.mean.dim", square, literals=(Seq("list", (-1,)), True))
    root = build.add("aten.rsqrt.default", build.add("aten.add.Scalar", mean, literals=(1e-06,)))
    return build.add("aten.mul.Tensor", build.weight(fqn + ".weight"), build.add("aten.mul.Tensor", x, root))


def _rotate(build: Builder, x: int) -> int:
    low = build.add("aten.slice.Tensor", x, literals=(1, 0, 32))
    high = build.add("aten.slice.Tensor", x, literals=(1, 32, 64))
    turned = build.add("aten.cat.default", build.add("aten.neg.default", high), low)
    cos, sin = build.add("aten.cos.default", x), build.add("aten.sin.default", turned)
    return build.add("aten.add.Tensor", build.add("aten.mul.Tensor", x, cos), build.add("aten.mul.Tensor", turned, sin))


def _layer(build: Builder, x: int, name: str, experts: int) -> int:
    normed = _norm(build, x, name + ".norm1")
    build.module = name + ".attn"
    q, k, v = (build.linear(normed, f"{name}.attn.{part}") for part in ("q", "k", "v"))
    scores = build.add("aten.matmul.default", _rotate(build, q), _rotate(build, k))
    scaled = build.add("aten.mul.Scalar", scores, literals=(0.125,))
    mask = build.add("aten.sub.Tensor", scaled, build.add("aten.triu.default", scaled, literals=(1,)))
    probs = build.add("aten.softmax.int", mask, literals=(-1,))
    out = build.linear(build.add("aten.matmul.default", probs, v), f"{name}.attn.o")
    build.module = name
    x = build.add("aten.add.Tensor", x, out)
    normed = _norm(build, x, name + ".norm2")
    return _mixture(build, x, normed, name, experts)


def _mixture(build: Builder, x: int, normed: int, name: str, experts: int) -> int:
    build.module = name + ".moe"
    logits = build.linear(normed, name + ".moe.gate")
    routes = build.add("aten.softmax.int", logits, literals=(-1,))
    for e in range(experts):
        fqn = f"{name}.moe.experts.{e}"
        build.module = fqn
        picked = build.add("aten.select.int", routes, literals=(1, e))
        mask = build.add("aten.gt.Scalar", picked, literals=(0.1,))
        share = build.add("aten.unsqueeze.default", build.add("aten.mul.Tensor", picked, mask), literals=(1,))
        chosen = build.add(
            "aten.mul.Tensor", normed, build.add("aten.expand.default", share, literals=(Seq("list", (8, 64)),))
        )
        shifted = build.add("aten.sub.Tensor", chosen, build.weight(fqn + ".shift"))
        gate = build.linear(shifted, fqn + ".gate")
        silu = build.add("aten.mul.Tensor", gate, build.add("aten.sigmoid.default", gate))
        up = build.linear(shifted, fqn + ".up")
        both = build.add("aten.mul.Tensor", silu, up)
        clamped = build.add("aten.clamp.default", both, literals=(-10.0, 10.0))
        down = build.linear(clamped, fqn + ".down")
        scaled = build.add("aten.div.Tensor", down, build.add("aten.add.Scalar", share, literals=(1e-05,)))
        back = build.add("aten.mul.Scalar", scaled, literals=(0.5,))
        build.module = name + ".moe"
        x = build.add("aten.add.Tensor", x, back)
    return x


def edited(drafts: list[Draft], edits: int, rng: random.Random) -> tuple[list[Draft], dict[int, int]]:
    """Apply `edits` insertions, deletions, literal edits and argument swaps each; return the drafts and who was who.

    An operand may then come after its user; the order is put right when the program is made.
    """
    found = [replace(draft, operands=list(draft.operands)) for draft in drafts]
    inner = [i for i, draft in enumerate(found) if draft.op == "call_function"]
    rng.shuffle(inner)
    gone: dict[int, int] = {}
    literal = iter([i for i in inner if found[i].literals and isinstance(found[i].literals[-1], int | float)])
    for _ in range(edits):
        i = next(literal)
        last = found[i].literals[-1]
        found[i].literals = (*found[i].literals[:-1], (last + 1) if type(last) is int else last * 1.5)
    # where both operands are made alike, swapping them only renames
    swaps = iter(
        [i for i in inner if found[i].target in ORDERED and len({found[p].target for p in found[i].operands}) == 2]
    )
    touched = set()
    for _ in range(edits):
        i = next(swaps)
        found[i].operands.reverse()
        touched.add(i)
    victims = iter([i for i in inner if found[i].op == "call_function" and not found[i].literals and i not in touched])
    for _ in range(edits):
        i = next(victims)
        gone[i] = found[i].operands[0]
    kept = [i for i in inner if i not in gone]
    for i in rng.sample(kept, edits):
        found.append(
            Draft(rng.choice(("aten.neg.default", "aten.clone.default", "aten.tanh.default")), [i], (), found[i].module)
        )
        new = len(found) - 1
        for draft in found[:-1]:
            draft.operands = [new if operand == i else operand for operand in draft.operands]
    for draft in found:
        draft.operands = [survivor(operand, gone) for operand in draft.operands]
    return found, {i: i for i in range(len(drafts)) if i not in gone}


def survivor(i: int, gone: dict[int, int]) -> int:
    while i in gone:
        i = gone[i]
    return i


def shuffled(drafts: list[Draft], skip: set[int], rng: random.Random) -> list[int]:
    """Return the numbers of the drafts in a random topological order."""
    waiting = [0] * len(drafts)
    users: list[list[int]] = [[] for _ in drafts]
    for i, draft in enumerate(drafts):
        if i not in skip:
            waiting[i] = len(draft.operands)
            for operand in draft.operands:
                users[operand].append(i)
    ready = [i for i, draft in enumerate(drafts) if i not in skip and not waiting[i]]
    order: list[int] = []
    while ready:
        at = rng.randrange(len(ready))
        ready[at], ready[-1] = ready[-1], ready[at]
        i = ready.pop()
        order.append(i)
        for user in users[i]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    output = next(i for i in order if drafts[i].op == "output")
    order.remove(output)
    return [*order, output]


def program(
    drafts: list[Draft], order: list[int], names: dict[int, str], *, modules: bool = True, fqns: bool = True
) -> Program:
    """Make a Program; without `fqns` it has no signature and its placeholders have no meaning but by use."""
    stacks: dict[str, tuple[ModuleCall, ...]] = {}
    nodes, inputs, outputs = [], [], []
    for i in order:
        draft = drafts[i]
        refs: tuple[Argument, ...] = tuple(Ref(names[operand]) for operand in draft.operands)
        if draft.target == "aten.cat.default":
            refs = (Seq("list", refs),)
        if draft.op == "output":
            refs = (Seq("tuple", refs),)
            outputs.append(OutputSpec(kind="user_output", argument=names[draft.operands[0]]))
        meta = {}
        if modules and draft.module and draft.op == "call_function":
            if draft.module not in stacks:
                parts = draft.module.split(".")
                paths = [".".join(parts[:k]) for k in range(len(parts) + 1)]
                stacks[draft.module] = tuple(ModuleCall(path, path, "M") for path in paths)
            meta = {"nn_module_stack": stacks[draft.module]}
        if draft.op == "placeholder":
            kind = "parameter" if draft.fqn else "user_input"
            inputs.append(
                InputSpec(kind=kind, argument=names[i], target=draft.fqn or None, path=None if draft.fqn else "args[0]")
            )
        target = names[i] if draft.op == "placeholder" else draft.target
        value = None if draft.op == "output" else WEIGHT if draft.fqn else HIDDEN
        nodes.append(
            Node(name=names[i], op=draft.op, target=target, args=refs + draft.literals, value=value, meta=freeze(meta))
        )
    graphs = freeze({"": Graph(tuple(nodes))})
    if not fqns:
        return Program(graphs=graphs)
    return Program(graphs=graphs, inputs=tuple(inputs), outputs=tuple(outputs))


def names_for(count: int, prefix: str, rng: random.Random) -> dict[int, str]:
    """Give every draft a random name."""
    numbers = list(range(count))
    rng.shuffle(numbers)
    return {i: f"{prefix}{number}" for i, number in enumerate(numbers)}


def pair(
    layers: int = 64,
    experts: int = 64,
    edits: int = 50,
    seed: int = 0,
    *,
    modules: bool = True,
    fqns: bool = True,
    rename: bool = True,
) -> Truth:
    """Make two programs: the second edited, every node renamed, in another topological order."""
    rng = random.Random(seed)
    drafts = decoder(layers, experts)
    changed, kept = edited(drafts, edits, rng) if edits else (drafts, {i: i for i in range(len(drafts))})
    skip = set(range(len(drafts))) - set(kept)
    names_a = names_for(len(drafts), "n", rng)
    names_b = names_for(len(changed), "m", rng) if rename else names_a
    order_b = shuffled(changed, skip, rng) if rename else list(range(len(changed)))
    order_a = list(range(len(drafts)))
    if not fqns:  # the border must not give anything away: inputs come in random order
        order_a = shuffled(drafts, set(), rng)
    a = program(drafts, order_a, names_a, modules=modules, fqns=fqns)
    b = program(changed, order_b, names_b, modules=modules, fqns=fqns)
    return Truth(a, b, {names_a[i]: names_b[j] for i, j in kept.items()})
