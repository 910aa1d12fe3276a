"""Many LoRA adapters trained side by side over one frozen base: one forward and backward pass for the rows of all.

Each adapter has its own examples, order, number of steps, learning rate, gradient norm and AdamW state, so that its
weights are those that :func:`teachable.student.lora.train_lora` gives it alone, but for rounding (a test allows 1e-5 a
step in float32). What pays is that many short sequences share the passes that each would take alone.

Adapters are trained one after the other, with a line in the log, where side by side would not be the same or cannot be:
with dropout (whose draws depend on what is in a pass), with gradient checkpointing or a compiled model, and where the
model's rows cannot be told apart (:attr:`teachable.student.adapters.AdapterBank.stackable`).
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig

from teachable.student.adapters import lora_config
from teachable.student.completions import Encoded, Example, answers, cuts
from teachable.student.errors import StudentError
from teachable.student.lora import LoraSettings, Plan, TrainRecord, plan, schedule, train_lora, written
from teachable.student.model import Student
from teachable.student.speed import Speed
from teachable.student.stacks import Shape, Stack, Unstackable, detach

log = logging.getLogger(__name__)

TOGETHER = 16  # adapters at once; each takes its weights four times: with gradients and AdamW's two moments
CPU_TOKENS = 2_000  # a forward pass; see docs/student.md for what was measured
GPU_TOKENS = 16_384


@dataclass(frozen=True, slots=True)
class Job:
    """One adapter to train: what :func:`~teachable.student.lora.train_lora` takes of these names."""

    examples: Sequence[Example]
    seed: int
    name: str | None = None
    out: Path | None = None
    replay: Sequence[Example] = ()
    strata: Sequence[str] | None = None
    replayed: int = 0
    checkpoints: Sequence[float] = ()


@dataclass(slots=True)
class _Work:
    """A job under way."""

    job: Job
    plan: Plan
    losses: list[float] = field(default_factory=list)
    kept: dict[float, dict[str, torch.Tensor]] = field(default_factory=dict)


def train_stacked(
    student: Student,
    jobs: Sequence[Job],
    settings: LoraSettings,
    *,
    together: int = TOGETHER,
    batch_tokens: int | None = None,
) -> list[TrainRecord]:
    """Train an adapter for every job from fresh weights, `together` at once, and give the records in the jobs' order.

    `batch_tokens` bounds a forward pass, padding included, of which there is at most a tenth
    (:func:`teachable.student.completions.cuts`). Where a GPU's memory runs out it is halved, and with a single sequence
    a pass the number of adapters at once; the updates stay those that were asked for. An adapter is kept in memory
    under its job's `name`, in the stack that it was trained in, and written to `out` as `train_lora` writes it.
    `seconds` of a record are an equal share of its group's, and its padding and share of peak are the group's.

    The same student, jobs, settings, `together` and `batch_tokens` give the same weights on the same machine and
    threads. Raises StudentError as `train_lora` does, and for two jobs of one name.
    """
    names = [job.name for job in jobs if job.name is not None]
    if len(set(names)) != len(names):
        raise StudentError("two adapters of one name are to be trained; give each its own")
    if together < 1:
        raise StudentError(f"at least one adapter must be trained at once, not {together}")
    if any(job.out is None and job.name is None for job in jobs):
        raise StudentError("train_stacked needs `out`, `name` or both of every job, or its result is lost")
    config = lora_config(settings.rank, settings.alpha, settings.dropout, settings.targets)
    try:
        _check(student, settings)
        shape, config = student.bank.shape(config)
    except Unstackable as reason:
        log.info("adapters are trained one after the other: %s", reason)
        return [_alone(student, job, settings) for job in jobs]
    works = [
        _Work(
            job,
            plan(
                student,
                job.examples,
                settings,
                seed=job.seed,
                replay=job.replay,
                strata=job.strata,
                replayed=job.replayed,
                checkpoints=job.checkpoints,
            ),
        )
        for job in jobs
    ]
    # similar numbers of steps and lengths share a group; within it those with most steps come first
    order = sorted(range(len(works)), key=lambda index: (-works[index].plan.steps, _longest(works[index]), index))
    found: dict[int, TrainRecord] = {}
    tokens = batch_tokens or (GPU_TOKENS if student.device.type == "cuda" else CPU_TOKENS)
    waiting = [order[start : start + together] for start in range(0, len(order), together)]
    while waiting:
        group = waiting.pop(0)
        begun = time.perf_counter()
        training = _Training(student, [works[index] for index in group], shape, settings, tokens)
        try:
            training.run()
        except _TooMany:
            half = len(group) // 2
            log.warning("out of GPU memory: going on with %d adapters at once", half)
            waiting[:0] = [group[:half], group[half:]]
            del training
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        tokens = training.tokens
        seconds = (time.perf_counter() - begun) / len(group)
        for row, index in enumerate(group):
            found[index] = _finish(student, works[index], settings, training, row, config, seconds)
    return [found[index] for index in range(len(jobs))]


def _check(student: Student, settings: LoraSettings) -> None:
    """Unstackable with the reason where adapters have to be trained one after the other."""
    for name in ("dropout", "gradient_checkpointing", "compile"):
        if getattr(settings, name):
            raise Unstackable(f"{name} is set")
    if not student.bank.stackable:
        raise Unstackable("this model does not keep the rows of a batch apart")


def _alone(student: Student, job: Job, settings: LoraSettings) -> TrainRecord:
    return train_lora(
        student,
        job.examples,
        settings,
        seed=job.seed,
        replay=job.replay,
        strata=job.strata,
        replayed=job.replayed,
        out=job.out,
        name=job.name,
        checkpoints=job.checkpoints,
    )


def _longest(work: _Work) -> int:
    return max(len(row.ids) for row in work.plan.rows if isinstance(row, Encoded))


def _finish(
    student: Student,
    work: _Work,
    settings: LoraSettings,
    training: _Training,
    row: int,
    config: LoraConfig,
    seconds: float,
) -> TrainRecord:
    job, state = work.job, training.stack.state(row)
    record = work.plan.record(work.losses, state, settings.micro_batch, training.speed, seconds)
    if job.name is not None:
        student.forget(job.name)
        student.bank.hold(job.name, training.stack, row, config)
    if job.out is None:
        return record
    how = {"seed": job.seed, "settings": asdict(settings)}
    return written(job.out, student, config, state, work.kept, record, how, work.plan)


class _TooMany(Exception):
    """Memory does not hold that many adapters beside a single sequence."""


class _Training:
    """A group of adapters from fresh weights to their last step; those with most steps must come first."""

    def __init__(
        self, student: Student, works: Sequence[_Work], shape: Shape, settings: LoraSettings, tokens: int
    ) -> None:
        self.student, self.works, self.shape, self.settings, self.tokens = student, works, shape, settings, tokens
        self.speed = Speed.of(student)

    def run(self) -> None:
        """Train them all. Raises _TooMany where half as many could fit in memory."""
        try:
            self.stack = Stack(self.shape, len(self.works))
            with warnings.catch_warnings():  # views of one matrix are meant here: AdamW then sees an adapter a row
                warnings.filterwarnings("ignore", message="grad and param do not obey the gradient layout contract")
                self._train()
        except torch.cuda.OutOfMemoryError as problem:
            for work in self.works:
                work.losses.clear()
                work.kept.clear()
            if len(self.works) > 1:
                raise _TooMany from problem
            raise StudentError(
                "out of GPU memory with a single example; use gradient_checkpointing, a lower rank, or a larger GPU"
            ) from problem

    def _train(self) -> None:
        student, settings, works, stack = self.student, self.settings, self.works, self.stack
        for row, work in enumerate(works):
            stack.reset(row, work.job.seed)
        weights = stack.flat[: len(works)]
        slopes = torch.zeros_like(weights)
        # Autograd adds to views of `slopes` what the layers' views of `weights` are due; AdamW sees an adapter a row.
        leaves = [(a.detach().requires_grad_(), b.detach().requires_grad_()) for a, b in stack.views(weights)]
        for pair, grads in zip(leaves, stack.views(slopes), strict=True):
            for leaf, slope in zip(pair, grads, strict=True):
                leaf.grad = slope
        adapters = [row.detach().requires_grad_() for row in weights]
        lengths = sorted({work.plan.steps for work in works}, reverse=True)
        optimiser = torch.optim.AdamW(
            [
                {"params": [one for one, work in zip(adapters, works, strict=True) if work.plan.steps == steps]}
                for steps in lengths
            ],
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
            fused=student.device.type == "cuda",
        )
        batches = [work.plan.batches for work in works]
        student.bank.activate(None)
        stack.trained = True
        handles = stack.attach(student.model, leaves)
        try:
            for step in range(lengths[0]):
                active = sum(work.plan.steps > step for work in works)
                rows = [
                    (number, row)
                    for number, batch in enumerate(batches[:active])
                    for row in next(batch)
                    if isinstance(row, Encoded)
                ]
                with self.speed.step(sum(len(row.ids) for _, row in rows)):
                    losses = self._gradients(rows, slopes, active)
                    self._update(optimiser, lengths, step, adapters, slopes, active)
                for number in range(active):
                    work = works[number]
                    work.losses.append(float(losses[number]))
                    if not math.isfinite(losses[number]):
                        raise StudentError(
                            f"the loss became {losses[number]} at step {step + 1}; lower the learning rate"
                        )
                    if step + 1 in work.plan.due and work.job.out is not None:
                        work.kept[work.plan.due[step + 1]] = stack.state(number)
        finally:
            detach(handles)
            stack.trained = False

    def _update(
        self,
        optimiser: torch.optim.Optimizer,
        lengths: Sequence[int],
        step: int,
        adapters: Sequence[torch.Tensor],
        slopes: torch.Tensor,
        active: int,
    ) -> None:
        """One AdamW step of each adapter that has one to take, its gradient clipped by its own norm."""
        settings = self.settings
        norms = torch.linalg.vector_norm(slopes[:active], dim=1)
        slopes[:active] *= torch.clamp(settings.clip / (norms + 1e-6), max=1.0)[:, None]  # as clip_grad_norm_ does
        for number, adapter in enumerate(adapters):
            adapter.grad = slopes[number] if number < active else None
        for group, steps in zip(optimiser.param_groups, lengths, strict=True):
            if step < steps:
                group["lr"] = settings.learning_rate * schedule(settings, step, steps)
        optimiser.step()

    def _gradients(self, rows: Sequence[tuple[int, Encoded]], slopes: torch.Tensor, active: int) -> np.ndarray:
        """Fill `slopes` [G, P] with each adapter's gradient of its own mean loss, and give these losses [active].

        In smaller passes each time memory runs out.
        """
        while True:
            slopes.zero_()
            try:
                return self._passes(rows, active)
            except torch.cuda.OutOfMemoryError:
                if self.tokens <= max(len(row.ids) for _, row in rows):
                    raise
                self.tokens //= 2
                log.warning("out of GPU memory: going on with %d tokens a forward pass", self.tokens)
            torch.cuda.empty_cache()  # outside the handler, so that its traceback frees the activations

    def _passes(self, rows: Sequence[tuple[int, Encoded]], active: int) -> np.ndarray:
        student, settings, functional = self.student, self.settings, torch.nn.functional
        counted = np.zeros(active)
        for number, row in rows:
            counted[number] += len(row.ids) - row.start
        losses = np.zeros(active)
        ordered = sorted(rows, key=lambda one: len(one[1].ids))
        for chosen in self._cut(ordered):
            numbers = [number for number, _ in chosen]
            part = [row for _, row in chosen]
            self.speed.read(sum(len(row.ids) - 1 for row in part), len(part) * (len(part[-1].ids) - 1))
            own = np.repeat(numbers, [len(row.ids) - row.start for row in part])  # adapter of each completion token
            weights = torch.from_numpy(1 / counted[own]).to(student.device)
            before = None
            if settings.base_penalty:
                with self.stack.suspended(), torch.no_grad():
                    before = functional.log_softmax(answers(student.model, part, student.pad)[0], dim=-1)
            self.stack.choose(numbers)
            logits, wanted = answers(student.model, part, student.pad)
            each = functional.cross_entropy(logits, wanted, reduction="none") * weights.to(logits.dtype)
            np.add.at(losses, own, each.detach().double().cpu().numpy())
            if before is not None:
                after = functional.log_softmax(logits, dim=-1)
                apart = functional.kl_div(after, before, reduction="none", log_target=True).sum(dim=1)
                each = each + settings.base_penalty * apart * weights.to(logits.dtype)
            torch.autograd.backward(each.sum())
        return losses

    def _cut(self, ordered: Sequence[tuple[int, Encoded]]) -> list[Sequence[tuple[int, Encoded]]]:
        """`ordered` by length in forward passes that memory and padding allow."""
        widths = [len(row.ids) - 1 for _, row in ordered]
        switch = self.student.length_switch
        long = len(ordered) if switch is None else sum(width <= switch for width in widths)
        found = []
        for first, last in ((0, long), (long, len(ordered))):
            start = first
            for end in (
                cuts(widths[first:last], lambda rows, width: rows * width <= self.tokens) if last > first else ()
            ):
                found.append(ordered[start : first + end])
                start = first + end
        return found
