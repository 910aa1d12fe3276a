"""LoRA training: a plain loop, loss on the completion only, the same result whatever memory allows.

The loss of a step is the mean negative log-likelihood over all completion tokens of its batch, however the
batch is cut into micro-batches; so when the GPU runs out of memory the micro-batch is halved, the step starts
again, and the update is the one that was asked for. Pairs of commands have a loss of their own, see
:mod:`teachable.student.preference`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from peft import LoraConfig
from safetensors.torch import save

from teachable.student.adapter_files import state_digest, write_into
from teachable.student.adapters import lora_config
from teachable.student.batches import epoch_batches
from teachable.student.completions import Encoded, Example, encode
from teachable.student.errors import StudentError
from teachable.student.files import new_directory
from teachable.student.model import Student
from teachable.student.monitoring import Watch
from teachable.student.preference import EncodedPair, Pair, Preferences, encode_pairs
from teachable.student.speed import Speed
from teachable.student.steps import gradients, sequences

_UNNAMED = "in training"


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """How an adapter is trained. The defaults suit an 8B model; the small student wants a higher rate."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: str = "all-linear"
    learning_rate: float = 2e-5
    epochs: float = 3.0
    max_steps: int | None = None  # instead of epochs: exactly that many steps, cycling through the examples
    batch_size: int = 8  # effective: examples per optimiser step
    micro_batch: int = 8  # examples per forward pass to begin with; halved when memory runs out
    warmup: float = 0.03  # share of the steps with linearly rising rate
    schedule: Literal["constant", "cosine"] = "cosine"
    final_rate: float = 0.1  # of the cosine, as a share of the peak
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0  # gradient norm
    base_penalty: float = 0.0  # weight of KL(base || tuned) a completion token
    max_tokens: int | None = None  # longest example; None: the model's context
    gradient_checkpointing: bool = False  # activations are computed again in the backward pass: less memory, more time
    compile: bool = False  # the model by torch.compile, with a start of a minute or more

    def __post_init__(self) -> None:
        for name in ("rank", "alpha", "learning_rate", "epochs", "batch_size", "micro_batch", "clip"):
            if not getattr(self, name) > 0:
                raise StudentError(f"LoRA setting {name} must be above 0, not {getattr(self, name)}")
        if self.max_steps is not None and self.max_steps < 1:
            raise StudentError(f"LoRA setting max_steps must be at least 1, not {self.max_steps}")
        if not self.base_penalty >= 0:
            raise StudentError(f"LoRA setting base_penalty must be at least 0, not {self.base_penalty}")
        if self.schedule not in ("constant", "cosine"):
            raise StudentError(f"LoRA setting schedule is constant or cosine, not {self.schedule!r}")


@dataclass(frozen=True, slots=True)
class TrainRecord:
    """What a training run did. Losses are nats per completion token; tokens count every pass over them."""

    examples: int
    replayed: int  # decisions replayed beside the examples, over all epochs
    replay_pool: int  # decisions there were to replay
    steps: int
    tokens: int
    completion_tokens: int
    seconds: float
    loss_first: float  # mean over the first tenth of the steps (at least one)
    loss_last: float  # mean over the last tenth
    losses: tuple[float, ...]  # per step
    padding: float  # share of what was read that is padding, of rows that are no pairs
    share_of_peak: float | None  # of the GPU's, see teachable.student.speed; None where that is not known
    micro_batch: int  # what it ended with
    sha256: str  # of the adapter's safetensors file
    path: str | None = None
    checkpoints: dict[str, str] = field(default_factory=dict)  # share of the steps -> directory
    preferences: Preferences | None = None  # of a run on pairs, whose losses are those of whole steps


def schedule(settings: LoraSettings, step: int, steps: int) -> float:
    """Share of the peak learning rate at `step` (from 0) of `steps`."""
    warm = math.ceil(settings.warmup * steps) if steps > 1 else 0
    if step < warm:
        return (step + 1) / warm
    if settings.schedule == "constant":
        return 1.0
    done = (step - warm) / max(1, steps - warm)
    return settings.final_rate + (1 - settings.final_rate) * 0.5 * (1 + math.cos(math.pi * done))


def _checkpointing(model: Any, action: str) -> Callable[..., None]:
    """The model's method that switches gradient checkpointing, by its newer or its older name."""
    newer = getattr(model, f"activation_checkpointing_{action}", None)
    found: Callable[..., None] = newer or getattr(model, f"gradient_checkpointing_{action}")
    return found


@contextmanager
def training_mode(student: Student, name: str, settings: LoraSettings, seed: int) -> Iterator[list[torch.nn.Parameter]]:
    """The adapter's weights trainable, and everything as it was afterwards."""
    model = student.model
    devices = [model.device] if model.device.type == "cuda" else []
    parameters = student.bank.trainable(name)
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed % (1 << 63))  # for dropout
            if settings.gradient_checkpointing:
                _checkpointing(model, "enable")({"use_reentrant": False})
            if settings.dropout or settings.gradient_checkpointing:
                model.train()
            if settings.compile:
                model.compile(dynamic=True)  # in place, for lengths of every kind
            yield parameters
    finally:
        if settings.compile:
            model._compiled_call_impl = None  # how nn.Module.compile is undone; answers go on without it
        if settings.gradient_checkpointing:
            _checkpointing(model, "disable")()
        model.eval()
        student.bank.freeze(name)


def train_lora(
    student: Student,
    examples: Sequence[Example],
    settings: LoraSettings,
    *,
    seed: int,
    replay: Sequence[Example] = (),
    strata: Sequence[str] | None = None,
    replayed: int = 0,
    pairs: Sequence[Pair] = (),
    beta: float = 0.1,
    out: Path | None = None,
    name: str | None = None,
    checkpoints: Sequence[float] = (),
    progress: Callable[[int, int, float], None] | None = None,
    watch: Watch | None = None,
) -> TrainRecord:
    """Train a LoRA adapter on `examples` from fresh weights; the base model is not changed.

    Every epoch goes through all `examples` and, mixed among them, through `replayed` decisions of `replay`,
    other ones every epoch until all were used (experience replay against forgetting; Rolnick et al. 2019), as many
    of every stratum (`strata`: that of each decision of `replay`; None: all are one). With no example at all the
    replayed decisions are all there is.

    `pairs`, in place of `examples`, are learned from by direct preference optimisation of strength `beta`
    (:mod:`teachable.student.preference`); decisions replayed beside them keep their loss. In a step each of the two
    losses weighs as much as it has rows: the mean over its pairs by the share of pairs, the mean over completion tokens
    by the share of replayed decisions.

    `out`: write it there in PEFT's format, whole or not at all; checkpoints go to `out/checkpoints/<share>`
    after each share of the steps named in `checkpoints` (0 < share < 1; the end is `out` itself). `name`:
    keep it in memory as the student's adapter of that name, replacing one; an adapter of the same shape is
    reset and trained in place. At least one of the two is needed. Many adapters are trained faster side by side
    (:func:`teachable.student.stacked.train_stacked`). `progress(step, steps, loss)` is called after every step, and so
    is `watch(step, measured)` with `loss` (nats per completion token), `learning_rate`, `tokens_per_second`, `padding`
    and on a known GPU `share_of_peak` (:mod:`teachable.student.speed`); neither changes a weight.

    The same student, examples, settings and seed give the same weights on the same machine and threads.
    Raises StudentError when even one example does not fit in memory, or for a loss that is not finite.
    """
    begun = time.perf_counter()
    if out is None and name is None:
        raise StudentError("train_lora needs `out`, `name` or both, or its result is lost")
    made = plan(
        student,
        examples,
        settings,
        seed=seed,
        replay=replay,
        strata=strata,
        replayed=replayed,
        pairs=pairs,
        beta=beta,
        checkpoints=checkpoints,
    )
    slot = name if name is not None else _UNNAMED
    config = lora_config(settings.rank, settings.alpha, settings.dropout, settings.targets)
    student.bank.create(slot, config)
    student.forget(slot)
    student.bank.reset(slot, seed)
    kept: dict[float, dict[str, torch.Tensor]] = {}
    losses: list[float] = []
    margins: list[float] = []
    speed = Speed.of(student)
    micro_batch = min(settings.micro_batch, settings.batch_size)
    try:
        with training_mode(student, slot, settings, seed) as parameters:
            optimiser = torch.optim.AdamW(
                parameters,
                lr=settings.learning_rate,
                betas=settings.betas,
                weight_decay=settings.weight_decay,
                fused=student.device.type == "cuda",
            )
            for step, batch in enumerate(made.batches):
                for group in optimiser.param_groups:
                    group["lr"] = settings.learning_rate * schedule(settings, step, made.steps)
                with speed.step(sum(len(one.ids) for row in batch for one in sequences(row))):
                    done = gradients(student, slot, optimiser, batch, micro_batch, settings.base_penalty, beta)
                    micro_batch = done.micro_batch
                    if not math.isfinite(done.loss):
                        raise StudentError(f"the loss became {done.loss} at step {step + 1}; lower the learning rate")
                    torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
                    optimiser.step()
                speed.read(done.read, done.padded)
                losses.append(done.loss)
                margins += done.margins
                if step + 1 in made.due and out is not None:
                    kept[made.due[step + 1]] = student.bank.state(slot)
                if progress is not None:
                    progress(step + 1, made.steps, done.loss)
                if watch is not None:
                    rate = {"loss": done.loss, "learning_rate": optimiser.param_groups[0]["lr"]}
                    watch(step + 1, rate | speed.measured())
        state = student.bank.state(slot)
        config = student.bank.config(slot)
    finally:
        if name is None:
            student.bank.remove(slot)
    record = made.record(losses, state, micro_batch, speed, time.perf_counter() - begun)
    if pairs:
        record = replace(record, preferences=Preferences.of(margins, beta, len(pairs)))
    if out is None:
        return record
    return written(out, student, config, state, kept, record, {"seed": seed, "settings": asdict(settings)}, made)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training will see: rows as token ids (first `count` examples or pairs, then decisions to replay), and the
    rows of each of its steps; `pool`: decisions there were to replay; `due`: after which step which share is done, for
    checkpoints."""

    rows: list[Encoded | EncodedPair]
    count: int
    pool: int
    order: list[list[int]]
    due: dict[int, float]
    beta: float | None  # of the preference loss; None: there are no pairs

    @property
    def steps(self) -> int:
        return len(self.order)

    @property
    def batches(self) -> Iterator[list[Encoded | EncodedPair]]:
        """The rows of every step."""
        return ([self.rows[row] for row in chosen] for chosen in self.order)

    @property
    def again(self) -> int:
        """How many decisions are replayed, over all steps."""
        return sum(row >= self.count for chosen in self.order for row in chosen)

    def record(
        self,
        losses: Sequence[float],
        state: dict[str, torch.Tensor],
        micro_batch: int,
        speed: Speed,
        seconds: float,
    ) -> TrainRecord:
        """The record of a training that went by this plan and ended with the weights `state`."""
        tenth = max(1, self.steps // 10)
        seen = [one for batch in self.batches for row in batch for one in sequences(row)]
        return TrainRecord(
            examples=self.count,
            replayed=self.again,
            replay_pool=self.pool,
            steps=self.steps,
            tokens=sum(len(one.ids) for one in seen),
            completion_tokens=sum(len(one.ids) - one.start for one in seen),
            seconds=seconds,
            loss_first=float(np.mean(losses[:tenth])),
            loss_last=float(np.mean(losses[-tenth:])),
            losses=tuple(losses),
            padding=speed.padding,
            share_of_peak=speed.share_of_peak,
            micro_batch=micro_batch,
            sha256=state_digest(state),
        )


def plan(
    student: Student,
    examples: Sequence[Example],
    settings: LoraSettings,
    *,
    seed: int,
    replay: Sequence[Example] = (),
    strata: Sequence[str] | None = None,
    replayed: int = 0,
    pairs: Sequence[Pair] = (),
    beta: float = 0.1,
    checkpoints: Sequence[float] = (),
) -> Plan:
    """The steps that :func:`train_lora` takes with these arguments. Raises StudentError where they cannot be taken."""
    if replayed and not replay:
        raise StudentError("there is nothing to replay")
    if strata is not None and len(strata) != len(replay):
        raise StudentError(f"{len(replay)} decisions to replay, but {len(strata)} strata")
    if examples and pairs:
        raise StudentError("train_lora learns from examples or from pairs, not from both; leave one of them out")
    if pairs and not beta > 0:
        raise StudentError(f"beta must be above 0, not {beta}")
    count = len(pairs or examples)
    if not count and not replayed:
        raise StudentError("no examples to train on")
    if any(not 0 < share < 1 for share in checkpoints):
        raise StudentError(f"checkpoints are shares between 0 and 1, not {tuple(checkpoints)}")
    rows: list[Encoded | EncodedPair] = [
        *encode_pairs(student, pairs, settings.max_tokens),
        *encode(student, [*examples, *(replay if replayed else ())], settings.max_tokens),
    ]
    per_epoch = math.ceil((count + replayed) / settings.batch_size)
    steps = settings.max_steps or max(1, round(settings.epochs * per_epoch))
    order = epoch_batches(
        count,
        settings.batch_size,
        steps,
        np.random.default_rng(seed),
        strata=strata or [""] * len(replay),
        replayed=replayed,
    )
    due = {min(steps - 1, max(1, round(share * steps))): share for share in checkpoints if steps > 1}
    return Plan(rows, count, len(replay), list(order), due, beta if pairs else None)


def written(
    out: Path,
    student: Student,
    config: LoraConfig,
    state: dict[str, torch.Tensor],
    kept: dict[float, dict[str, torch.Tensor]],
    record: TrainRecord,
    how: dict[str, Any],
    made: Plan,
) -> TrainRecord:
    """Write a trained adapter and its checkpoints (`kept`, by share of the steps) to `out`, whole or not at all.

    `how` (seed and settings) goes to its record of origin. Returns `record` with the paths.
    """
    about = {
        "base": student.fingerprint,
        "base_name": student.name,
        "layout": student.layout_spec.name,
        "layout_version": student.layout_spec.version,
        **how,
        "examples": made.count,
        "replayed": made.again,
        **({"loss": "dpo", "beta": made.beta} if made.beta is not None else {}),
    }
    config.base_model_name_or_path = student.home
    with new_directory(out) as draft:
        for share, weights in kept.items():
            place = draft / "checkpoints" / f"{share:g}"
            place.mkdir(parents=True)
            done = {"steps": round(share * made.steps), "sha256": state_digest(weights)}
            write_into(place, config, save(weights, metadata={"format": "pt"}), {**about, **done})
        content = save(state, metadata={"format": "pt"})
        write_into(draft, config, content, {**about, "steps": made.steps, "sha256": record.sha256})
    places = {f"{share:g}": str(out / "checkpoints" / f"{share:g}") for share in kept}
    return replace(record, path=str(out), checkpoints=places)
