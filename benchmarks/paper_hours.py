"""Preset paper on one GPU, on paper: tokens, FLOP, GPU-hours and cost, with and without what the engine saves.

    python benchmarks/paper_hours.py [--card H100] [--usd 2.5]

The jobs are those of a dry run of the real workflow, their decisions and examples are counted from the configuration
(`teachable/workflow/work.py`: upper bounds), the model is Qwen3-8B by its shape. How often labelling asks the same
again, how many commands and how many tokens a decision has, and how much of a prompt is shared, is what `tokens.py`
measured on a run of preset laptop in layout chat. Nothing here was measured on a GPU. Writes
`results/paper_on_one_gpu.json`.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine_page import RESULTS, ROOT
from gpu_check import QWEN3_8B
from side_by_side import rounded

from teachable.config.load import read_yaml
from teachable.workflow.configuration import configuration
from teachable.workflow.plan import dry_run
from teachable.workflow.rates import CARDS, LOAD_S
from teachable.workflow.work import Work, count

NAME = "paper_on_one_gpu"
CASE = "layout chat, Monte Carlo"  # of tokens.json
UTILISATION = 0.4  # of the card's dense bf16 peak, for prefill of long batches: assumed
TRAINING = 0.3  # the same for LoRA steps: assumed


@dataclass(frozen=True)
class Shape:
    """Weights that every token meets, and those of the output layer, which only the columns that predict meet."""

    layers: float
    output: float


@dataclass(frozen=True)
class Asked:
    """A decision on average, as labelling asks it."""

    prompt: float  # tokens
    commands: float
    command: float  # tokens of one, the end-of-action token left out
    nodes: float  # tokens of the tree of all of them
    distinct: float  # share of the requests that were not asked before
    fresh: float  # share of the distinct requests' tokens that no earlier one shares


def shape(config: dict[str, int]) -> Shape:
    """Of a Qwen3 with these sizes: attention and gated feed-forward of each layer, and the output layer."""
    hidden, head = config["hidden_size"], config["head_dim"]
    attention = hidden * head * (2 * config["num_attention_heads"] + 2 * config["num_key_value_heads"])
    layer = attention + 3 * hidden * config["intermediate_size"]
    return Shape(config["num_hidden_layers"] * layer, config["vocab_size"] * hidden)


def tokens(way: str, asked: Asked) -> tuple[float, float]:
    """Tokens encoded for a requested decision on average, and columns whose logits are made."""
    tree = asked.prompt + asked.nodes
    if way == "plain":
        return asked.commands * (asked.prompt + asked.command), asked.commands * (asked.command + 1)
    if way == "tree":
        return tree, asked.nodes + 1
    if way == "remembered":
        return asked.distinct * tree, asked.distinct * (asked.nodes + 1)
    if way == "prefix":
        return asked.distinct * asked.fresh * tree, asked.distinct * (asked.nodes + 1)
    raise ValueError(f"no such way: {way}")


WAYS = {
    "plain": "one forward pass a command",
    "tree": "commands as a tree behind the prompt",
    "remembered": "and no decision twice (as it is)",
    "prefix": "and no token twice (prefix cache, at its best)",
}


def hours(work: Work, jobs: int, asked: Asked, model: Shape, peak: float) -> list[dict[str, float | str]]:
    """GPU-hours of counted work by each way. ``jobs`` load the model, ``peak`` is in FLOP a second."""
    full = asked.prompt + asked.command
    training = 4 * work.trained * (full * model.layers + (asked.command + 1) * model.output)
    fixed = jobs * LOAD_S + training / (peak * TRAINING)
    found: list[dict[str, float | str]] = []
    for way, how in WAYS.items():
        each, columns = tokens(way, asked)
        flop = 2 * work.decisions * (each * model.layers + columns * model.output)
        seconds = fixed + flop / (peak * UTILISATION)
        found.append({"way": way, "how": how, "tokens": work.decisions * each, "gpu_hours": seconds / 3600})
    return found


def counted(preset: str) -> tuple[Work, int]:
    """Decisions and trained examples of all jobs of a preset, and how many jobs load the model."""
    config, _ = configuration(read_yaml(ROOT / "workflow_config.yaml"), preset=preset)
    jobs = dry_run("--config", f"preset={preset}", "--forceall", snakefile=ROOT / "Snakefile", directory=ROOT)
    works = [count(call, config) for job in jobs for call in job.calls]
    total = Work(decisions=sum(one.decisions for one in works), trained=sum(one.trained for one in works))
    return total, sum(job.loads_student for job in jobs)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--card", default="H100", choices=[name for name in CARDS if name != "cpu"])
    parser.add_argument("--usd", type=float, default=2.5, help="of one hour of the card")
    parser.add_argument("--into", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    cases = json.loads((RESULTS / "tokens.json").read_text(encoding="utf-8"))["cases"]
    asked = Asked(**next(one for one in cases if one["case"] == CASE)["decision"])
    work, jobs = counted(given.preset)
    model, peak = shape(QWEN3_8B), CARDS[given.card] * 1e12
    ways = [{**one, "usd": float(one["gpu_hours"]) * given.usd} for one in hours(work, jobs, asked, model, peak)]
    found: dict[str, Any] = {
        "name": NAME,
        "what": f"preset {given.preset} on one {given.card}, on paper: nothing of it was measured on a GPU",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "ways": ways,
        "assumed": [
            f"{work.decisions:,.0f} decisions and {work.trained:,.0f} examples through training in {jobs} jobs that "
            f"load the model for {LOAD_S:.0f} s each: counted from the configuration of preset {given.preset}, "
            "Monte Carlo labels, upper bounds",
            f"a decision: a prompt of {asked.prompt:.0f} tokens, {asked.commands:.1f} commands of {asked.command:.1f} "
            f"tokens, {asked.nodes:.0f} nodes of their tree; {asked.distinct:.0%} of requests are new, and of these "
            f"tokens {asked.fresh:.0%}: measured on the protocol's Monte Carlo labels of failures of preset "
            "laptop in layout chat (`tokens.json`), taken for all stages",
            f"Qwen3-8B by its shape: {model.layers / 1e9:.2f} billion weights a token, {model.output / 1e9:.2f} more "
            "for a column that predicts; 2 FLOP a weight in scoring, 4 in LoRA training; attention is left out",
            f"{UTILISATION:.0%} of {CARDS[given.card]:g} TFLOP/s in scoring, {TRAINING:.0%} in training: assumed; the "
            "games and the engine's own work, during which a card waits, are left out",
            f"{given.usd:.2f} USD an hour: assumed",
        ],
    }  # fmt: skip
    given.into.mkdir(parents=True, exist_ok=True)
    (given.into / f"{NAME}.json").write_text(json.dumps(rounded(found), indent=1) + "\n", encoding="utf-8")
    for one in ways:
        print(f"{one['how']:50s} {one['gpu_hours']:7.1f} GPU-hours, {one['usd']:7.0f} USD")


if __name__ == "__main__":
    main()
