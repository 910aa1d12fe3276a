"""Rollouts: episodes in waves, snapshots of failures, and the value of every action behind them."""

from __future__ import annotations

from teachable.rollouts.episodes import EpisodeSpec, Played, PlaySettings, play
from teachable.rollouts.expert import ContextExpert, Expert, Oracle, Turn, checkpoint
from teachable.rollouts.monte_carlo import MonteCarloSettings, monte_carlo
from teachable.rollouts.policy import CachedPolicy, Policy, PolicyError
from teachable.rollouts.sessions import Start, starts_of
from teachable.rollouts.snapshots import (
    choose_snapshots,
    restore_check,
    retention_panel,
)
from teachable.rollouts.tree_growth import TreeSettings
from teachable.rollouts.tree_values import tree_values
from teachable.rollouts.values import Query, Values

__all__ = [
    "CachedPolicy",
    "ContextExpert",
    "EpisodeSpec",
    "Expert",
    "MonteCarloSettings",
    "Oracle",
    "PlaySettings",
    "Played",
    "Policy",
    "PolicyError",
    "Query",
    "Start",
    "TreeSettings",
    "Turn",
    "Values",
    "checkpoint",
    "choose_snapshots",
    "monte_carlo",
    "play",
    "restore_check",
    "retention_panel",
    "starts_of",
    "tree_values",
]
