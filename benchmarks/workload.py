"""The students that are measured, and the decisions that labelling really asks about, in its order.

They come from a finished run of preset laptop (``--results``, default `results`): its student, its games, its first
snapshots with their advice. What labelling asks is recorded before anything is remembered, once for each prompt layout:
compact, as the built-in student reads, and chat or dialogue, as pretrained ones do; there the built-in student still
decides, so that episodes go as far, but reads nothing. A student of SmolLM2-135M's shape has random weights, which
changes neither speed nor memory, unless one is named (``--llama DIR``).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from gpu_check import chat_tokenizer

from teachable import tables
from teachable.config import Config
from teachable.config.load import read_yaml
from teachable.config.model import Estimation
from teachable.pipeline.valuing import value_snapshots
from teachable.rollouts import CachedPolicy
from teachable.rollouts.policy import Reals, Request
from teachable.rollouts.values import Values
from teachable.student import Student
from teachable.student.layouts.chat import ChatLayout
from teachable.student.layouts.dialogue import DialogueLayout
from teachable.student.prompt import Context
from teachable.workflow.configuration import configuration
from teachable.worlds import Task, World, get_world

ROOT = Path(__file__).resolve().parents[1]
SMOLLM2_135M = {
    "vocab_size": 49_152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True,
}  # fmt: skip
LAYOUTS = {"chat": ChatLayout, "dialogue": DialogueLayout}
Wave = list[tuple[str, tuple[str, ...]]]  # prompts with their commands


@dataclass(frozen=True)
class Run:
    """A finished run of the workflow with a built-in student."""

    results: Path
    config: Config
    tasks: dict[str, Task]
    snapshots: pl.DataFrame
    advice: pl.DataFrame

    @property
    def weights(self) -> Path:
        return self.results / "student/weights"

    @property
    def protocol(self) -> Estimation:
        """Monte Carlo labels with the protocol's budgets: 7 + 7 + 2 episodes, and 2 a condition."""
        budget = {"policy": 7, "force": 7, "expert": 2, "condition": 2}
        episodes = {f"{name}_episodes": count for name, count in budget.items()}
        return self.config.estimation.model_copy(update={"estimator": "monte_carlo", **episodes})

    @property
    def world(self) -> World:
        return get_world(self.config.world.name)

    def label(
        self, policy: Any, snapshots: int, layout: str = "compact", estimation: Estimation | None = None
    ) -> Values:
        """The values behind the first ``snapshots``, as the stage `action-values` finds them; ``estimation`` None: by
        the run's own estimator."""
        return value_snapshots(
            policy,
            self.world,
            self.results / "world/train/games",
            self.tasks,
            self.snapshots.head(snapshots),
            self.advice,
            estimation or self.config.estimation,
            layout=layout,
            max_steps=self.config.world.max_steps,
            run_seed=self.config.seed,
        )


def open_run(results: Path) -> Run:
    """Raises SystemExit, with what to do, where there is no such run."""
    if not (results / "phase1/estimates.parquet").is_file() or not (results / "student/weights").is_dir():
        raise SystemExit(f"{results} is no finished run of preset laptop: `make run`, or name one with --results.")
    recorded = tables.read_json(results / "config.json")
    given = {name: value for name, value in recorded.items() if name != "preset"}
    raw = {**read_yaml(ROOT / "workflow_config.yaml"), "override": given}
    config, _ = configuration(raw, preset=recorded["preset"])
    rows = tables.read(results / "phase0/tasks_train.parquet", tables.TASKS).to_dicts()
    snapshots = tables.read(results / "phase0/snapshots.parquet", tables.SNAPSHOTS)
    advice = tables.read(results / "phase0/advice.parquet", tables.ADVICE)
    known = advice.filter("valid").select("snapshot_id")
    shuffled = snapshots.join(known, on="snapshot_id", how="semi").sample(fraction=1.0, shuffle=True, seed=0)
    return Run(results.absolute(), config, {row["task_id"]: Task(**row) for row in rows}, shuffled, advice)


def arguments(about: str | None) -> argparse.ArgumentParser:
    """What every benchmark on a finished run is told."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="of a finished run of preset laptop")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of each side, as jobs of the workflow have")
    parser.add_argument("--into", type=Path, default=ROOT / "benchmarks/results", help="folder of the rows")
    return parser


class _Reader:
    """A student that reads prompts of another layout and decides as the built-in one."""

    def __init__(self, decides: Student, render: Callable[[Context], str]) -> None:
        self._decides, self._render = decides, render
        self.contexts: dict[str, Context] = {}

    def prompt(self, context: Context) -> str:
        text = self._render(context)
        self.contexts[text] = context
        return text

    def policy(
        self,
        prompts: Sequence[str],
        commands: Sequence[Sequence[str]],
        *,
        adapters: Sequence[str | None] | None = None,
    ) -> list[Reals]:
        return self._decides.policy([self._decides.prompt(self.contexts[prompt]) for prompt in prompts], commands)


class _Recording(CachedPolicy):
    """Keeps what it is asked, before it looks into its memory."""

    def __init__(self, policy: _Reader) -> None:
        super().__init__(policy)
        self.waves: list[Wave] = []

    def ask(self, requests: Sequence[Request]) -> list[Reals]:
        self.waves.append([(request.prompt, request.commands) for request in requests])
        return super().ask(requests)


def recorded(
    run: Run,
    student: Student,
    snapshots: int,
    render: Callable[[Context], str],
    layout: str,
    estimation: Estimation | None = None,
) -> list[Wave]:
    """What labelling the first ``snapshots`` asks, wave by wave, where prompts are written by ``render``."""
    recording = _Recording(_Reader(student, render))
    run.label(recording, snapshots, layout, estimation)
    return recording.waves


def distinct(waves: Sequence[Wave], count: int) -> Wave:
    """``count`` different decisions, evenly over the recorded ones."""
    every = list(dict.fromkeys(request for wave in waves for request in wave))
    return [every[index * len(every) // count] for index in range(min(count, len(every)))]


def tokenizer_of(waves: Sequence[Wave]) -> Any:
    """A tokenizer with a ChatML template that writes these prompts in some four characters a token, as SmolLM2's."""
    return chat_tokenizer([prompt for prompt, _ in distinct(waves, 200)], 1500)


def llama(directory: Path, tokenizer: Any, shape: Mapping[str, Any] = SMOLLM2_135M) -> Path:
    """A Llama of this shape with random weights and this tokenizer, in ``directory``."""
    from transformers import LlamaConfig, LlamaForCausalLM

    make: Any = LlamaConfig
    torch.manual_seed(0)
    model = LlamaForCausalLM(make(**shape, max_position_embeddings=8192, bos_token_id=None, eos_token_id=0))
    model.save_pretrained(str(directory))
    tokenizer.save_pretrained(str(directory))
    return directory


def chat_waves(
    run: Run, student: Student, snapshots: int, estimation: Estimation | None = None, layout: str = "chat"
) -> list[Wave]:
    """The recorded decisions of labelling in layout chat (or dialogue) with a ChatML template."""
    written = LAYOUTS[layout](chat_tokenizer(["take red apple from counter"], 400))
    return recorded(run, student, snapshots, written.render, layout, estimation)
