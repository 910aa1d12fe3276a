"""Phase 2: one LoRA adapter of one run, and proof that it changes what the student does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from teachable import seeds
from teachable.evaluation.probes import adapter_probe
from teachable.student.completions import Example
from teachable.student.lora import LoraSettings, TrainRecord, train_lora
from teachable.student.monitoring import Watch
from teachable.student.preference import Pair
from teachable.terms import REPLAY_ONLY, UNIFORM, cell_name, describe, preference_runs
from teachable.training.budget import Replay
from teachable.training.errors import SetError
from teachable.training.preferences import preference_pairs

if TYPE_CHECKING:
    from teachable.config import model as c
    from teachable.student.model import Student

CHECKPOINTS = {"first": 1 / 3, "middle": 2 / 3}  # shares of the steps; the last is the adapter itself
NOTHING = "none of the training snapshots belongs to this run"
NO_WINS = "the student won no training-side episode to replay"
NO_PAIRS = "at none of its snapshots did the student do anything but what the teacher says"
PROBES = 16  # examples on which the adapter must differ from the base


def fit(
    load: Callable[[], Student],
    run: str,
    examples: pl.DataFrame,
    replay: pl.DataFrame,
    training: c.Training,
    lora: c.Lora,
    *,
    out: Path,
    run_seed: int,
    train_seed: int = 1,
    labeled: pl.DataFrame | None = None,
    beta: float | None = None,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Train ``run`` on its rows of ``examples`` and on decisions of ``replay`` (both ``EXAMPLES``), into ``out``.

    ``load`` gives the student, and is called only where there is something to train; ``watch`` is told of every step
    (:func:`~teachable.student.lora.train_lora`).

    Returns the run's record: examples, replayed decisions, steps, tokens, losses [steps] (nats), seconds, and
    ``probe_shift``, the largest change of a command's log-probability on a few of its examples. A run with nothing
    to learn from is not trained: its record has ``absent``, the reason, and ``out`` is not written.

    A run by direct preference optimisation, e.g. ``Q4_dpo``, takes as many steps as the contrast cell of its quadrant,
    on that cell's examples with what ``labeled`` (``LABELED``) says the student did, and replays as much beside them.
    Its record also has ``loss``, ``beta``, ``pairs``, ``dropped`` (examples that prefer nothing) and, over the first
    and the last tenth of the pairs as they came, ``margin_first`` and ``margin_last`` (reward margin, nats),
    ``accuracy_first`` and ``accuracy_last`` (share of pairs with a margin above 0).

    Raises :class:`teachable.student.AdapterError` when the adapter changes nothing and
    :class:`teachable.training.errors.SetError` when no examples were drawn for ``train_seed``, or when a run by direct
    preference optimisation lacks ``labeled`` or ``beta``.
    """
    about = describe(run)
    preferring = run in {known.name for known in preference_runs()}
    source = cell_name(about.quadrant, about.format) if preferring else run
    if preferring and (labeled is None or beta is None):
        raise SetError(f"{run}: it needs the labelled snapshots and dpo.beta: give both, or train another run.")
    drawn = examples.filter(pl.col("run") == source)["draw"].drop_nulls()
    if len(drawn) and train_seed not in drawn:
        raise SetError(
            f"{run}: its examples are drawn for the trainings {sorted(set(drawn))}, not for {train_seed}: "
            "ask for one of these, or raise training.seeds and make the training sets again."
        )
    examples = examples.filter(pl.col("draw").is_null() | (pl.col("draw") == train_seed))
    chosen, pool = _texts(examples.filter(pl.col("run") == source)), _texts(replay)
    beside = Replay(training.replay, len(pool), training.epochs, training.batch_size)
    replayed = beside.beside(len(chosen))
    if run == REPLAY_ONLY:
        size = examples.filter(pl.col("run") == UNIFORM).height
        replayed = (size + beside.beside(size)) if pool else 0
    record: dict[str, Any] = {"run": run, "train_seed": train_seed, "quadrant": about.quadrant, "format": about.format}
    if not chosen and not replayed:
        return {**record, "absent": NO_WINS if run == REPLAY_ONLY else NOTHING}
    pairs: list[Pair] = []
    if preferring and labeled is not None:
        preferred = preference_pairs(examples, labeled, about.quadrant)
        pairs = [Pair(*row) for row in preferred.select("prompt", "completion", "rejected").iter_rows()]
        record |= {"loss": "dpo", "dropped": len(chosen) - len(pairs)}
        if not pairs:
            return {**record, "absent": NO_PAIRS}
    settings = LoraSettings(
        rank=lora.rank,
        alpha=lora.alpha,
        dropout=lora.dropout,
        gradient_checkpointing=lora.gradient_checkpointing,
        compile=lora.compile,
        learning_rate=training.learning_rate,
        epochs=training.epochs,
        batch_size=training.batch_size,
        micro_batch=training.micro_batch,
        warmup=training.warmup,
        base_penalty=training.base_penalty,
        max_steps=beside.steps(len(chosen) + replayed) if preferring else None,
    )

    def show(step: int, steps: int, loss: float) -> None:
        if step == steps or step % max(1, steps // 10) == 0:
            print(f"{run}: step {step}/{steps}  loss {loss:.4f}", flush=True)

    student = load()
    trained = train_lora(
        student,
        () if preferring else chosen,
        settings,
        seed=seeds.integer(run_seed, "train", run, train_seed),
        replay=pool,
        strata=replay["family"].to_list(),
        replayed=replayed,
        pairs=pairs,
        beta=beta or 0.1,  # unused without pairs
        out=out,
        checkpoints=tuple(CHECKPOINTS.values()),
        progress=show,
        watch=watch,
    )
    print(_pace(run, trained), flush=True)
    student.add_adapter(run, out)
    probed = (chosen or pool)[:PROBES]
    others = (pair.rejected for pair in pairs[:PROBES])
    choices = sorted({"look", *(example.completion for example in probed), *others})  # two at least, admissible or not
    shift = adapter_probe(student, run, [example.prompt for example in probed], [choices] * len(probed))
    # what depends on the machine stands in the log alone: results have equal bytes
    apart = ("path", "checkpoints", "losses", "seconds", "preferences", "padding", "share_of_peak")
    kept = {key: value for key, value in asdict(trained).items() if key not in apart}
    if trained.preferences is not None:
        kept |= asdict(trained.preferences)
    return {
        **record,
        "epochs": training.epochs,
        "losses": [round(loss, 6) for loss in trained.losses],
        "probe_shift": shift,
        **kept,
    }


def _pace(run: str, trained: TrainRecord) -> str:
    """One line on how fast it went."""
    rate = trained.tokens / trained.seconds
    share = "" if trained.share_of_peak is None else f", {trained.share_of_peak:.1%} of the GPU's bfloat16 peak"
    return f"{run}: {trained.tokens:,} tokens, {rate:,.0f} tokens/s, {trained.padding:.1%} padding{share}"


def _texts(table: pl.DataFrame) -> list[Example]:
    return [Example(prompt, completion) for prompt, completion in table.select("prompt", "completion").iter_rows()]
