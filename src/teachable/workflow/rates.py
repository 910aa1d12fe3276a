"""How long counted work takes: measured once on a reference machine, corrected by one's own jobs where there are any.

A job takes ``start + sum of amount * each`` seconds: ``start`` to load its libraries and open its first games, ``each``
a unit of :class:`~teachable.workflow.work.Work`. A pretrained student is reckoned on paper:
``start + billions * LOAD_S + decisions * TURN_S + FLOP / (peak * utilisation)``, with 2 FLOP a weight and token to
score and 4 to train (LoRA: a forward pass, and a backward pass through frozen weights).

One's own jobs give a factor a stage: seconds that they took over seconds reckoned. Stages without one take the factor
of all. So a slow or busy machine shows after a few jobs, and every number can say where it comes from.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from teachable.config import Config
from teachable.errors import TeachableError
from teachable.workflow.work import Work

# Stage -> seconds to start a process, seconds a unit. Wall seconds of one job, from the timings of preset laptop (seed
# 1), two jobs at a time on a virtual machine with 2 cores of 2026 that had nothing else to do.
REFERENCE: Mapping[str, tuple[float, float]] = {
    "make-tasks": (3.9, 0.66),
    "demonstrate": (3.2, 0.03),
    "build-student": (11.0, 0.0049),
    "warm-start": (11.0, 0.0),  # a pretrained student's: on paper
    "link-student": (10.0, 0.0),
    "rollout": (6.0, 0.06),
    "episode-values": (8.8, 0.015),  # no preset has it: as action-values
    "restore-check": (3.1, 0.031),
    "advise": (2.9, 0.054),
    "action-values": (8.8, 0.015),
    "label-metrics": (5.2, 0.0),
    "skills": (3.0, 0.0),
    "microtrain": (9.9, 0.024),
    "continuations": (9.3, 0.032),
    "examples": (5.7, 0.0),
    "replay-examples": (6.0, 0.0),
    "recovery-examples": (10.0, 0.0),
    "train": (8.1, 0.0057),
    "evaluate": (8.4, 0.02),
    "evaluation-summary": (6.1, 0.0),
    "drift": (9.9, 0.021),
    "checkpoints": (9.9, 0.021),  # no preset has it: as drift
    "failures": (6.0, 0.06),  # as rollout
    "features": (6.8, 0.012),
    "predict": (4.5, 0.0088),
    "select": (1.2, 0.36),
    "selection-examples": (2.7, 0.3),
    "selection-summary": (7.8, 0.0),
    "figure": (3.8, 0.0),
    "viewer": (2.6, 0.0),
}
OTHER = (2.0, 0.0)  # tables, concatenations, other summaries

# Card -> peak of dense bf16 matrix products, TFLOP/s, by its maker's data sheet; "cpu": what one core with AVX-512 did
# in float32 in preset pretrained (scoring; training did .10), so that nothing is to be taken off for utilisation.
CARDS: Mapping[str, float] = {
    "A100": 312.0,
    "A6000": 155.0,
    "L40S": 362.0,
    "H100": 989.0,
    "H200": 989.0,
    "cpu": 0.14,
}
CARD = "A100"  # unless another is named
UTILISATION = 0.25  # assumed share of the peak: prompts of half a thousand tokens, in batches
TOKENS = 550  # of one prompt with its commands: 1,630 characters in layout chat, 200 of commands, 4 a token, the frame
LOAD_S = 7.5  # a billion weights from a local disk to the device (an 8B model: a minute), and its first batch
TURN_S = 0.004  # the engine's part of a decision
COUNTED = "counted in its files"
RESTORE_S = 1.5  # a job whose results come from the store


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A student that has to be reckoned on paper: its weights, and the card it runs on."""

    weights: float
    card: str
    said: str  # where the number of weights is from
    cores: int = 1  # of a job, where the card is "cpu"

    def seconds(self, works: Sequence[Work]) -> float:
        """``billions * LOAD_S + decisions * TURN_S + (2 * decisions + 4 * trained) * TOKENS * weights / rate``."""
        decisions = sum(work.decisions for work in works)
        flop = (2 * decisions + 4 * sum(work.trained for work in works)) * TOKENS * self.weights
        return self.weights / 1e9 * LOAD_S + decisions * TURN_S + flop / self.rate

    @property
    def rate(self) -> float:
        """FLOP a second: the assumed share of a card's peak, or what the cores of a job do."""
        return CARDS[self.card] * 1e12 * (self.cores if self.card == "cpu" else UTILISATION)

    @property
    def is_here(self) -> bool:
        """Whether its files are on this machine."""
        return self.said == COUNTED

    def __str__(self) -> str:
        how = f"{self.cores} cores" if self.card == "cpu" else f"{UTILISATION:.0%}"
        return (
            f"{self.weights / 1e9:.1f} billion weights ({self.said}), {TOKENS} tokens a decision, "
            f"{how} of the {CARDS[self.card]:g} TFLOP/s of {self.card}"
        )


def pretrained(config: Config, card: str | None = None) -> Pretrained | None:
    """The student of the configuration, where it is a pretrained one. Raises TeachableError where nothing says how many
    weights it has, or there is no such card."""
    from teachable.student.catalogue import CATALOGUE
    from teachable.student.errors import StudentError
    from teachable.student.files import locate, weights_of

    card = card or CARD
    if card not in CARDS:
        raise TeachableError(f"--card: {card!r} is not in the table: it has {', '.join(CARDS)}.")
    if config.student.source != "hf":
        return None
    on = card if config.resources.gpus else "cpu"
    cores = config.resources.threads
    path = config.student.path or ""
    try:
        return Pretrained(weights_of(locate(path, config.student.revision)), on, COUNTED, cores)
    except StudentError:  # not on this machine, which a plan can do without
        if path in CATALOGUE:
            return Pretrained(CATALOGUE[path].weights, on, "by the catalogue", cores)
        named = re.search(r"(\d+(?:\.\d+)?)[bB](?![A-Za-z])", Path(path).name)
    if not named:
        raise TeachableError(
            f"student.path: {path} is not on this machine and its name does not say how many weights it has, so "
            "nothing can be reckoned: fetch it first (teachable fetch-student)."
        )
    return Pretrained(float(named[1]) * 1e9, on, "by its name", cores)


@dataclass(frozen=True, slots=True)
class Own:
    """What one's own jobs took over what was reckoned for them, by stage and for all; and how many there were."""

    by_stage: Mapping[str, tuple[float, int]] = field(default_factory=dict)  # stage -> (factor, jobs)
    every: tuple[float, int] = (1.0, 0)
    where: str = ""

    @classmethod
    def of(cls, jobs: Iterable[tuple[str, float, float]], where: str) -> Own:
        """``jobs``: stage, seconds reckoned and seconds taken of each."""
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0])
        for stage, reckoned, took in jobs:
            for entry in (sums[stage], sums[""]):
                entry[0] += took
                entry[1] += reckoned
                entry[2] += 1
        factors = {stage: (took / reckoned, int(n)) for stage, (took, reckoned, n) in sums.items() if reckoned > 0}
        every = factors.pop("", (1.0, 0))
        return cls(factors, every, where)

    def factor(self, stage: str) -> float:
        return self.by_stage.get(stage, self.every)[0]

    def source(self, stage: str, student: Pretrained | None) -> str:
        """Where the rate of a stage is from, in a word: own jobs, paper or reference, by the factor of all own jobs."""
        if stage in self.by_stage:
            return "own"
        table = "reference" if student is None else "paper"
        return f"{table} x {self.every[0]:.2f}" if self.every[1] else table


def reference(stage: str, works: Sequence[Work], student: Pretrained | None) -> float:
    """Seconds of a job by the table: one process that does ``works`` one after the other. ``student``: a pretrained one
    that it loads."""
    start, each = REFERENCE.get(stage, OTHER)
    if student is not None:
        return start + student.seconds(works)
    return start + each * sum(work.amount for work in works)
