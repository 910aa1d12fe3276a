"""Continue with the expert from snapshots of high leverage, and make examples of every step on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from teachable import tables
from teachable.rollouts.sessions import Environment, Environments, Start, starts_of
from teachable.stages.common import Reporter
from teachable.stages.games import games_root, open_world
from teachable.stages.models import load_prompter
from teachable.stages.replay_examples import replay_of
from teachable.stages.tasks import read_tasks
from teachable.training.recovery import CONTINUATIONS, recovery_set, recovery_snapshots
from teachable.training.sets import SetSettings, train_side
from teachable.worlds.base import EngineFault

if TYPE_CHECKING:
    from teachable.stages.params import RecoveryExamples
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: RecoveryExamples) -> None:
    labeled = tables.read(inputs["labeled"][0], tables.LABELED)
    panels = tables.read(inputs["panels"][0], tables.PANELS)
    tasks = {task.task_id: task for task in read_tasks(*inputs["tasks"])}
    prompter = load_prompter(inputs["student"][0])
    settings = SetSettings(seed=params.seed, recovery_minimum=params.recovery_minimum)
    pool = train_side(labeled, panels)
    order = {name: rank for rank, name in enumerate(recovery_snapshots(pool, settings))}
    chosen = (
        pool.filter(pl.col("snapshot_id").is_in(list(order)))
        .with_columns(rank=pl.col("snapshot_id").replace_strict(order, return_dtype=pl.Int64))
        .sort("rank")
    )
    rows: list[dict[str, Any]] = []
    report = Reporter("expert continuations")
    with Environments(open_world(params.world), games_root(inputs["games"])) as opened:
        for done, start in enumerate(starts_of(chosen, tasks), 1):
            try:
                continuation, won = _continue(opened[start.task], start, params.world.max_steps)
            except EngineFault as fault:
                print(f"snapshot {start.snapshot_id}: left out, the engine failed: {fault}", flush=True)
                continue
            rows += [{**row, "success": won} for row in continuation]
            report(done, len(chosen))
            if sum(row["success"] for row in rows) >= 2 * params.max_examples:  # some are the same decision
                break
    examples, budget = recovery_set(
        labeled,
        panels,
        pl.DataFrame(rows, schema=dict(CONTINUATIONS)),
        prompter.render_decision,
        prompter.count_tokens,
        settings,
        replay_of(inputs["replay"][0], params),
        target=params.max_examples,
    )
    tables.write(examples, outputs["examples"], tables.EXAMPLES)
    tables.write(budget, outputs["budget"], tables.BUDGET)


def _continue(environment: Environment, start: Start, max_steps: int) -> tuple[list[dict[str, Any]], bool]:
    """Every decision of the expert from ``start`` on, and whether it won."""
    moment = environment.moment(start)
    decisions: list[dict[str, Any]] = []
    for _ in range(max_steps):
        command = None if moment.state.done else environment.expert(moment)
        if command is None:
            break
        context = moment.context()
        decisions.append(
            {
                "snapshot_id": start.snapshot_id,
                "task_id": start.task.task_id,
                "step": len(moment.path),
                "goal": context.goal,
                "memo": context.memo,
                "scene": context.scene,
                "observation": context.observation,
                "history": [{"command": c, "observation": o} for c, o in context.history],
                "commands": list(context.commands),
                "action": command,
            }
        )
        moment = environment.step(moment, command)
    return decisions, moment.state.won
