"""The main job on two real models: `python -m graphlens.demo [-o FILE.html]`.

Each model goes through export, decompositions, save and load; eager, exported and reloaded outputs are compared; one
HTML report holds both.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from graphlens.errors import GraphLensError, MissingDependencyError

if TYPE_CHECKING:
    from graphlens.stages import RoundTrip

Sample = tuple[Any, tuple[Any, ...], dict[str, Any]]


def routed_decoder() -> Sample:
    """Make a small decoder whose experts are chosen by data: `cond` inside `map` inside `cond`.

    Returns
    -------
    tuple
        The model, its positional inputs (token ids of shape (4, 8)) and no keyword inputs.
    """
    import torch

    from graphlens.demo_decoder import RoutedDecoder

    torch.manual_seed(0)
    return RoutedDecoder().eval(), (torch.randint(0, 64, (4, 8)),), {}


def small_llama(layers: int = 8) -> Sample:
    """Make a Llama from a `transformers` config with random weights.

    Returns
    -------
    tuple
        The model, no positional inputs, and `input_ids` of shape (1, 16) among the keyword inputs.
    """
    import torch

    try:
        from transformers import LlamaConfig, LlamaForCausalLM
    except ImportError as error:
        raise MissingDependencyError(
            "the Llama of the demo needs transformers; pip install 'graphlens[dev]'"
        ) from error
    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=128,
        use_cache=False,
    )
    torch.manual_seed(0)
    ids = torch.arange(16).reshape(1, 16)
    return (
        LlamaForCausalLM(config).eval(),
        (),
        {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False},
    )


SAMPLES: dict[str, tuple[str, Callable[[], Sample]]] = {
    "decoder": ("a decoder with cond inside map inside cond", routed_decoder),
    "llama": ("a Llama of 8 layers, random weights", small_llama),
}


def show(title: str, result: RoundTrip, rows: int = 10) -> None:
    """Print the verdict, the stage table and the worst rows of a round trip."""
    print(f"\n== {title}\n\n{result.verdict}\n")
    print(result.stages.to_string(index=False, na_rep=""))
    worst = result.mismatches.head(rows)
    print(f"\nThe {len(worst)} worst of {len(result.mismatches)} rows:" if len(worst) else "\nNo differences.")
    if len(worst):
        columns = ["stage", "graph", "node_a", "node_b", "field", "kind", "severity", "cause", "a", "b"]
        print(worst[columns].to_string(index=False, na_rep="", max_colwidth=40))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit status: 0, or 2 where it could not be run."""
    parser = argparse.ArgumentParser(prog="python -m graphlens.demo", description=main.__doc__)
    parser.add_argument(
        "-o", "--output", default="out/demo.html", metavar="FILE", help="the report (default out/demo.html)"
    )
    parser.add_argument("--only", choices=tuple(SAMPLES), help="only one of the two models")
    options = parser.parse_args(argv)
    warnings.filterwarnings("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        return _run(options.output, [options.only] if options.only else list(SAMPLES))
    except GraphLensError as error:
        print(f"graphlens: {error}", file=sys.stderr)
        return 2


def _run(output: str, names: list[str]) -> int:
    from pathlib import Path

    from graphlens.api import report, roundtrip

    results = {}
    for name in names:
        title, make = SAMPLES[name]
        model, args, kwargs = make()
        results[title] = roundtrip(model, args, kwargs, name=title)
        show(title, results[title])
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    path = report(list(results.values()), output, title="graphlens demo")
    print(
        f"\nThe report of {' and '.join(names)} ({path.stat().st_size / 1e6:.2f} MB, opens without a network):\n{path.resolve()}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
