"""Align two programs: the root first, then every nested graph under its matched holder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphlens.diff.alignment import Alignment, GraphAlignment
from graphlens.diff.search import anchors, pins, symbols
from graphlens.diff.search.bodies import pair_holders, paired_bodies
from graphlens.diff.search.held import anchor_held, held_pairs
from graphlens.diff.search.inputs import other_names
from graphlens.diff.search.intern import Interner
from graphlens.diff.search.labels import token_for
from graphlens.diff.search.match import ANYWHERE, Homes, Match
from graphlens.diff.search.modules import Stacks, module_tree
from graphlens.diff.search.prepare import Prepared, prepare
from graphlens.diff.search.regions import crc_known, module_map, renamed_fqn, shape_of, weight_of
from graphlens.diff.search.result import graph_alignment, operand_names
from graphlens.diff.search.similar import Modules
from graphlens.diff.search.solve import solve
from graphlens.diff.search.spoken import across
from graphlens.program.graph import Node
from graphlens.program.program import ROOT, Program

Paths = tuple[str, str]


@dataclass
class Search:
    """What holds for both programs as a whole, and the results so far."""

    a: Prepared
    b: Prepared
    intern: Interner
    pinned: pins.Pinned
    stacks: tuple[Stacks, Stacks] = field(default_factory=lambda: (Stacks(), Stacks()))
    modules: dict[str, str] | None = None
    numbers: dict[str, int] = field(default_factory=dict)
    results: dict[Paths, GraphAlignment] = field(default_factory=dict)
    votes: Counter[symbols.Vote] = field(default_factory=Counter)
    solved: dict[tuple[int, int, tuple[tuple[int, int], ...]], GraphAlignment] = field(default_factory=dict)


def align_programs(a: Program, b: Program, given: tuple[tuple[str, str], ...]) -> Alignment:
    """Align two programs; see `graphlens.diff.align.align`."""
    pinned = pins.read_pins(a, b, given)
    inputs = anchors.input_pairs(a, b, lambda fqn: fqn)
    dynamic = bool(a.symbol_table and b.symbol_table)
    known = symbols.elect(symbols.votes(anchors.input_values(a, b, inputs))) if dynamic else {}
    search = _prepared(a, b, known, pinned)
    inputs = _follow_modules(search, a, b, inputs)
    inputs += other_names(a, b, inputs, token_for(a, b))
    held = held_pairs(a, b, {name for pair in inputs for name in pair}, token_for(a, b))
    stack: list[tuple[Paths, Match]] = (
        [((ROOT, ROOT), _root(search, inputs, held))] if ROOT in a.graphs and ROOT in b.graphs else []
    )
    while stack:
        paths, match = stack.pop()
        stack.extend(reversed(_solve(search, paths, match)))
    pins.check_reached(pinned, dict(search.results.keys()))
    return _assemble(search, a, b, known)


def _prepared(a: Program, b: Program, known: dict[str, str], pinned: pins.Pinned) -> Search:
    intern, token = Interner(), token_for(a, b)
    schemas = {**a.schemas, **b.schemas}
    spoken = across(a, b)
    ours = prepare(a, intern, symbols.canonical(known), token, schemas, spoken=spoken)
    back = symbols.canonical({name: name for name in known.values()})
    theirs = prepare(b, intern, back, token, schemas, spoken=spoken)
    return Search(ours, theirs, intern, pinned)


def _follow_modules(search: Search, a: Program, b: Program, inputs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Find out which module became which, and pair weights accordingly."""
    for stacks, prepared in zip(search.stacks, (search.a, search.b), strict=True):
        for table in prepared.tables.values():
            stacks.of(table)
    names = [stacks.names() for stacks in search.stacks]
    exchangeable = names[0] != names[1] and a.stored and b.stored  # called in another order, perhaps by other names
    if not all(names) or (set(names[0]) == set(names[1]) and not exchangeable):
        return inputs
    tree_a = module_tree(search.a.tables, search.stacks[0])
    tree_b = module_tree(search.b.tables, search.stacks[1])
    by_crc = crc_known(a) and crc_known(b)
    weights = weight_of(a, by_crc=by_crc), weight_of(b, by_crc=by_crc)
    search.modules = modules = module_map(tree_a, tree_b, weights, (shape_of(a), shape_of(b)))
    taken = set(modules.values())
    apart = set(tree_a.children) & set(tree_b.children)  # of one name, and not each other unless the map says so

    def translate(fqn: str) -> str | None:
        return renamed_fqn(fqn, modules, apart, taken)

    return anchors.input_pairs(a, b, translate)


def _root(search: Search, inputs: list[tuple[str, str]], held: list[tuple[str, str]]) -> Match:
    match = Match(search.a.tables[ROOT], search.b.tables[ROOT])
    _pin(search, (ROOT, ROOT), match)
    anchors.anchor_pairs(match, inputs)
    anchor_held(match, held)
    if not (search.a.program.inputs and search.b.program.inputs):
        anchors.anchor_names(match)
        anchors.anchor_sizes(match)
    anchors.anchor_outputs(match)
    return match


def _pin(search: Search, paths: Paths, match: Match) -> None:
    for i, j in pins.pins_of(search.pinned, *paths, match.a, match.b):
        match.pair(i, j, "pinned", 1.0, ("given by the user",))


def _solve(search: Search, paths: Paths, match: Match) -> list[tuple[Paths, Match]]:
    """Solve one pair of graphs, keep the result, and return the nested ones with their anchors."""
    modules = _modules(search, match)
    if search.modules is not None:
        match.homes = _homes(search, match, search.modules)
    elif max(modules[0], default=-1) >= 0:
        match.homes = modules
    solved = solve(match, search.intern, modules)
    if paths == (ROOT, ROOT) and not (search.a.program.inputs and search.b.program.inputs):
        anchors.inputs_by_use(match)
    held = [i for i in match.a.callers() if match.mate_a[i] >= 0]
    for i in held:
        pair_holders(match, i, paths, _bodies(search, paths, match, i))
    search.results[paths] = graph_alignment(paths, solved)
    nodes_a, nodes_b = match.a.nodes, match.b.nodes
    if search.a.program.symbol_table and search.b.program.symbol_table:
        pairs = ((nodes_a[i].value, nodes_b[j].value) for i, j in enumerate(match.mate_a) if j >= 0)
        search.votes.update(symbols.votes(pairs))
    return [child for i in held for child in _children(search, paths, match, i)]


def _bodies(search: Search, paths: Paths, match: Match, i: int) -> list[Paths]:
    calls = (paths[0], match.a.nodes[i]), (paths[1], match.b.nodes[match.mate_a[i]])
    return paired_bodies(search.a, search.b, *calls, search.pinned)


def _children(search: Search, paths: Paths, match: Match, i: int) -> list[tuple[Paths, Match]]:
    node, partner = match.a.nodes[i], match.b.nodes[match.mate_a[i]]
    mate = {
        match.a.nodes[x].name: match.b.nodes[y].name
        for x, y in enumerate(match.mate_a)
        if y >= 0 and x in match.a.operands[i]
    }
    found: list[tuple[Paths, Match]] = []
    for children in _bodies(search, paths, match, i):
        inner = Match(search.a.tables[children[0]], search.b.tables[children[1]])
        _pin(search, children, inner)
        given = (operand_names(node, inner.a), operand_names(partner, inner.b))
        anchors.anchor_operands(inner, given, mate)
        anchors.anchor_outputs(inner)
        found.append((children, inner))
    return found


def _modules(search: Search, match: Match) -> Modules:
    """Number the modules of the nodes; modules that correspond have the same number."""
    numbers = search.numbers
    ours, theirs = search.stacks[0].of(match.a), search.stacks[1].of(match.b)
    images = {name: name if search.modules is None else search.modules.get(name) for name in dict.fromkeys(ours)}
    known = {name: numbers.setdefault(name, len(numbers)) for name in dict.fromkeys(theirs) if name}
    number_of = {name: known.get(image or "", -1) for name, image in images.items()}
    known[""] = -1
    return [number_of[name] for name in ours], [known[name] for name in theirs]


def _homes(search: Search, match: Match, modules: Mapping[str, str]) -> Homes:
    """Number the innermost module around each node that has a counterpart."""
    numbers = search.numbers
    known = {image: image for image in modules.values()}

    def home(node: Node, images: Mapping[str, str]) -> int:
        stack = node.module_stack
        name = next((images[call.call] for call in reversed(stack) if call.call in images), "")
        return numbers.setdefault(name, len(numbers)) if stack else ANYWHERE

    return [home(node, modules) for node in match.a.nodes], [home(node, known) for node in match.b.nodes]


def _assemble(search: Search, a: Program, b: Program, known: dict[str, str]) -> Alignment:
    seen_a = {path for path, _ in search.results}
    seen_b = {path for _, path in search.results}
    order = {path: at for at, path in enumerate(a.graphs)}
    return Alignment(
        graphs=tuple(search.results[paths] for paths in sorted(search.results, key=lambda paths: order[paths[0]])),
        only_a=tuple(path for path in a.graphs if path not in seen_a),
        only_b=tuple(path for path in b.graphs if path not in seen_b),
        symbols=tuple(symbols.elect(search.votes, known).items()),
    )
