"""What a rollout tree did, as rows: every node that was reached, and every episode sampled from its frontier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from teachable.rollouts.tree import LOSS, UNTRIED, WIN, Node, Tree
from teachable.rollouts.values import Query

SHARED = "shared"  # one tree serves all conditions, which differ in the first decision only
FRONTIER = "frontier"  # EPISODES.condition of an episode that a shared tree's frontier was sampled with
OUTCOMES = {WIN: "win", LOSS: "loss", UNTRIED: None}


@dataclass(slots=True)
class Walk:
    """An episode sampled from the frontier: the item it began at, the commands from there, how it ended."""

    item: int
    node: int  # the item's
    actions: list[str]
    success: bool = False


@dataclass(slots=True)
class TreeLog:
    """Rows of ``TREE_NODES`` and of ``EPISODES``."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    episodes: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: TreeLog) -> None:
        self.nodes += other.nodes
        self.episodes += other.episodes


def log_tree(query: Query, condition: str, tree: Tree, walks: Sequence[Walk]) -> TreeLog:
    """The rows of one tree: ``condition`` is whose it is, or :data:`SHARED`.

    An episode's commands are counted from the snapshot: those on the way by which its piece of the frontier was first
    reached, then those that the student drew. ``weight`` of a node is its reach probability under the mixture of
    conditions when growth ended; a node met only while sampling has 0.
    """
    task = query.start.task
    skipped = len(query.start.prefix)
    ways = [list(node.moment.path[skipped:]) for node in tree.nodes]
    nodes = [
        {
            "snapshot_id": query.name,
            "model": query.model,
            "purpose": query.purpose,
            "condition": condition,
            "node": index,
            "actions": ways[index],
            "digest": node.moment.state.digest,
            "steps_left": node.steps_left,
            "expanded": tree.is_expanded(index),
            "weight": node.mass,
            "commands": list(node.commands),
            "probabilities": None if node.probabilities is None else node.probabilities.tolist(),
            "children": [child if child >= 0 else None for child in node.children],
            "outcomes": _outcomes(node),
        }
        for index, node in enumerate(tree.nodes)
    ]
    episodes = [
        {
            "episode_id": f"{query.stream}/{query.model}/{condition}/{FRONTIER}/{repeat}",
            "task_id": task.task_id,
            "family": task.family,
            "split": task.split,
            "model": query.model,
            "behaviour": "student",
            "panel": query.purpose,
            "snapshot_id": query.name,
            "condition": FRONTIER if condition == SHARED else condition,
            "repeat": repeat,
            "greedy": False,
            "steps": len(ways[walk.node]) + len(walk.actions),
            "actions": ways[walk.node] + walk.actions,
            "success": walk.success,
        }
        for repeat, walk in enumerate(walks)
    ]
    return TreeLog(nodes, episodes)


def _outcomes(node: Node) -> list[str | None]:
    return [OUTCOMES[child] if child < 0 else "node" for child in node.children]
