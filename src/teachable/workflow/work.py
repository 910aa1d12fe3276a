"""What a job has to do, counted from its command line and the resolved configuration, before anything is there.

Counts are of what may at most be needed: a quadrant with fewer snapshots than its panel asks for plays fewer episodes.
An episode takes fewer than ``world.max_steps`` commands, for it may be won or lost before; :data:`LENGTH` is the share
that is taken, measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from teachable.artifacts.commandline import Invocation
from teachable.config import Config
from teachable.terms import BASE, CONDITIONS, EVERYTHING, QUADRANTS, REPLAY_ONLY, selection_of

# Of world.max_steps. Preset laptop, seed 2: rollouts 9.4 of 15 commands, episodes behind labels 10.8, evaluation 7.3.
LENGTH = 0.6
FAILING = 0.6  # share of the student's episodes that fail (the same run)
CHECKPOINTS = 3  # first, middle, last: what drift looks at


@dataclass(frozen=True, slots=True)
class Work:
    """What one stage of a job does: ``amount`` of ``unit``, by which its time grows; and what a model would have to do
    for it, whatever its size: ``decisions`` (a prompt with all its commands scored) and ``trained`` (examples through
    forward and backward pass, an example twice in two epochs)."""

    amount: float = 1.0
    unit: str = "jobs"
    decisions: float = 0.0
    trained: float = 0.0


def count(call: Invocation, config: Config) -> Work:
    """The work of one stage's part of a command line. Stages whose time hardly depends on sizes count as one job."""
    counted = _COUNTS.get(call.stage)
    return counted(call, config) if counted else Work()


def games(config: Config, split: str) -> int:
    """Games of a split: the sum over its families."""
    counts: Mapping[str, int] = getattr(config.tasks, split)
    return sum(counts.values())


def games_in_shard(config: Config, split: str, shard: int) -> int:
    """Games of one shard: ``tasks.shard_size``, the last one what is left."""
    size = config.tasks.shard_size
    return max(0, min(size, games(config, split) - shard * size))


def snapshots(config: Config) -> int:
    """Failure snapshots at most: ``max_snapshots + max_expert_snapshots``. Each is advised once and labelled."""
    return config.snapshots.max_snapshots + config.snapshots.max_expert_snapshots


def training_side(config: Config) -> float:
    """Snapshots of the student's own failures on the training side: ``max_snapshots * (1 - panels.held_out)``."""
    return config.snapshots.max_snapshots * (1 - config.panels.held_out)


def length(config: Config) -> float:
    """Commands of an episode: ``LENGTH * world.max_steps``."""
    return LENGTH * config.world.max_steps


def episodes_per_value(estimation: Mapping[str, Any], *, patched: bool = True) -> int:
    """Episodes behind the value of one snapshot, at most. ``monte_carlo``: policy + force + expert + one batch for each
    of the five conditions (``patched``); ``tree``: those sampled from its frontier, which serve all conditions."""
    if estimation["estimator"] == "tree":
        return int(estimation["tree_episodes"])
    own = sum(int(estimation[f"{name}_episodes"]) for name in ("policy", "force", "expert"))
    return own + patched * len(CONDITIONS) * int(estimation["condition_episodes"])


def decisions_per_value(estimation: Mapping[str, Any], steps: float, *, patched: bool = True) -> float:
    """Decisions behind the value of one snapshot: ``steps`` an episode, and in a tree one a prompt that is expanded."""
    grown = int(estimation["tree_prompts"]) if estimation["estimator"] == "tree" else 0
    return grown + steps * episodes_per_value(estimation, patched=patched)


def examples_of(run: str, config: Config) -> float:
    """Different examples of a run, at most: k of a selection, the training side of ``B2_all``, else
    ``training.max_examples``."""
    if chosen := selection_of(run):
        return chosen[1]
    return training_side(config) if run == EVERYTHING else config.training.max_examples


def examples_trained(run: str, training: Mapping[str, Any], config: Config) -> tuple[int, int]:
    """Examples that a training goes through, and optimiser steps: per epoch n and n r / (1 - r) replayed beside them,
    r = ``training.replay``; ``epochs * ceil(all / batch_size)`` steps. ``C_replay`` has only what is replayed."""
    own = examples_of(run, config)
    beside = round(own * training["replay"] / (1 - training["replay"]))
    every = beside if run == REPLAY_ONLY else round(own) + beside
    return training["epochs"] * every, training["epochs"] * ceil(every / training["batch_size"])


def _make_tasks(call: Invocation, config: Config) -> Work:
    return Work(len(call.params["items"]), "games")


def _demonstrate(call: Invocation, config: Config) -> Work:
    shard = _shard(call, "tasks")
    return Work(games_in_shard(config, "warmstart", shard) * call.params["trajectories"], "episodes")


def _build_student(call: Invocation, config: Config) -> Work:
    return Work(config.builtin.max_steps * config.builtin.batch_size, "examples")


def _warm_start(call: Invocation, config: Config) -> Work:
    """The examples of all steps, and the validation games before and after."""
    warm = call.params["student"]["warm_start"]
    trained = warm["max_steps"] * warm["batch_size"]
    played = (1 + warm["checkpoints"]) * warm["validation_games"] * warm["validation_episodes"]
    return Work(trained, "examples", decisions=played * length(config), trained=trained)


def _rollout(call: Invocation, config: Config) -> Work:
    played = games_in_shard(config, "train", _shard(call, "tasks"))
    own = played * config.rollouts.episodes_per_task
    return Work(own + played * config.rollouts.expert_episodes_per_task, "episodes", decisions=own * length(config))


def _episode_values(call: Invocation, config: Config) -> Work:
    """Every decision of the failed episodes is valued, without patches."""
    own = games_in_shard(config, "train", _shard(call, "tasks")) * config.rollouts.episodes_per_task
    valued = FAILING * own * config.world.max_steps
    estimation = call.params["estimation"]
    decided = valued * decisions_per_value(estimation, length(config), patched=False)
    return Work(valued * episodes_per_value(estimation, patched=False), "episodes", decisions=decided)


def _every_snapshot(call: Invocation, config: Config) -> Work:
    return Work(snapshots(config), "snapshots")


def _shard_of_snapshots(call: Invocation, config: Config) -> Work:
    return Work(snapshots(config) / call.params["shards"], "snapshots")


def _action_values(call: Invocation, config: Config) -> Work:
    shard = snapshots(config) / call.params["shards"]
    estimation = call.params["estimation"]
    return Work(
        shard * episodes_per_value(estimation),
        "episodes",
        decisions=shard * decisions_per_value(estimation, length(config)),
    )


def _microtrain(call: Invocation, config: Config) -> Work:
    """Before and after: the snapshot is valued without patches, and each similar game is played once."""
    micro = call.params["microtraining"]
    shard = len(QUADRANTS) * config.panels.validation_per_quadrant / call.params["shards"]
    estimation = {**call.params["estimation"], **{key: micro[key] for key in ("tree_prompts", "tree_episodes")}}
    played = episodes_per_value(estimation, patched=False) + micro["similar_tasks"]
    decided = decisions_per_value(estimation, length(config), patched=False) + micro["similar_tasks"] * length(config)
    return Work(2 * shard * played, "episodes", decisions=2 * shard * decided, trained=shard * micro["steps"])


def _continuations(call: Invocation, config: Config) -> Work:
    played = training_side(config) * config.training.continuations
    return Work(played, "episodes", decisions=played * length(config))


def _train(call: Invocation, config: Config) -> Work:
    trained, _ = examples_trained(call.params["run"], call.params["training"], config)
    return Work(trained, "examples", trained=trained)


def _evaluate(call: Invocation, config: Config) -> Work:
    """Episodes on test games, from held-out failures, on the retention panel; the expert's beside the base student's;
    and each failure's prompt once."""
    failures = len(QUADRANTS) * config.panels.failure_per_quadrant
    starts = {"test": games(config, "test"), "failure": failures, "retention": config.panels.retention}
    played = sum(starts[panel] * call.params[f"{panel}_repeats"] for panel in starts)
    beside = sum(starts.values()) if call.params["model"] == BASE else 0
    return Work(played + beside, "episodes", decisions=played * length(config) + failures)


def _drift(call: Invocation, config: Config) -> Work:
    """At three checkpoints: the patch test on the drift panel, and the retention panel."""
    tested = {
        **call.params["estimation"],
        **dict.fromkeys(("tree_episodes", "condition_episodes"), call.params["drift_episodes"]),
        **dict.fromkeys(("policy_episodes", "force_episodes", "expert_episodes"), 1),
    }
    again = config.panels.retention * call.params["retention_repeats"]
    played = config.panels.drift * episodes_per_value(tested) + again
    decided = config.panels.drift * decisions_per_value(tested, length(config)) + again * length(config)
    return Work(CHECKPOINTS * played, "episodes", decisions=CHECKPOINTS * decided)


def _checkpoints(call: Invocation, config: Config) -> Work:
    played = CHECKPOINTS * config.panels.retention * call.params["retention_repeats"]
    return Work(played, "episodes", decisions=played * length(config))


def _failures(call: Invocation, config: Config) -> Work:
    """The games of the held-out side, as often as the base student played them."""
    played = games(config, "train") * config.panels.held_out * config.rollouts.episodes_per_task
    return Work(played, "episodes", decisions=played * length(config))


def _features(call: Invocation, config: Config) -> Work:
    return Work(snapshots(config), "snapshots", decisions=snapshots(config))


def _predict(call: Invocation, config: Config) -> Work:
    """Each fold fits anew, at every size of the training set."""
    settings = call.params["predictor"]
    return Work(snapshots(config) * settings["folds"] * len(settings["sample_sizes"]), "snapshots fitted")


def questions(call: Invocation, config: Config) -> float:
    """Decisions at which a teacher that plays as the expert is asked, in one stage's part of a command line: of setup
    B's episodes, of each snapshot one forced command and the episodes for ``p_expert`` (one at temperature 0), of the
    continuations for recovery. 0 where another expert plays."""
    playing = config.expert.teacher
    if playing is None:
        return 0.0
    if call.stage == "rollout":
        played = games_in_shard(config, "train", _shard(call, "tasks")) * config.rollouts.expert_episodes_per_task
        return played * length(config)
    if call.stage in ("action-values", "leverage-values"):
        episodes = 1 if playing.temperature == 0 else config.estimation.expert_episodes
        return snapshots(config) / call.params["shards"] * (1 + episodes * length(config))
    if call.stage == "recovery-examples":
        return 2 * config.training.max_examples
    return training_side(config) * length(config) if call.stage == "recovery-trajectories" else 0.0


def _shard(call: Invocation, name: str) -> int:
    return int(Path(call.inputs[name][0]).stem)


_COUNTS: dict[str, Callable[[Invocation, Config], Work]] = {
    "make-tasks": _make_tasks,
    "demonstrate": _demonstrate,
    "build-student": _build_student,
    "warm-start": _warm_start,
    "rollout": _rollout,
    "episode-values": _episode_values,
    "restore-check": _every_snapshot,
    "advise": _shard_of_snapshots,
    "action-values": _action_values,
    "microtrain": _microtrain,
    "continuations": _continuations,
    "train": _train,
    "evaluate": _evaluate,
    "drift": _drift,
    "checkpoints": _checkpoints,
    "failures": _failures,
    "features": _features,
    "predict": _predict,
}
