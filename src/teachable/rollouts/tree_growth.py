"""One query's rollout tree: grown by reach probability, then sampled where it still stands open."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from teachable.rollouts.episodes import PlaySettings, Scope
from teachable.rollouts.policy import CachedPolicy, Reals, Request, tempered
from teachable.rollouts.sessions import Environment, Moment
from teachable.rollouts.tree import (
    LOSS,
    UNTRIED,
    WIN,
    Estimate,
    Frontier,
    FrontierValues,
    Node,
    Tree,
    allocate,
    difference_error,
    estimate,
    frontier_values,
)
from teachable.rollouts.tree_log import SHARED, TreeLog, Walk, log_tree
from teachable.rollouts.values import Query
from teachable.student.prompt import Context
from teachable.terms import FORMATS

Answers = Generator[list[Request], list[Reals], "TreeValues"]


@dataclass(frozen=True, slots=True)
class TreeSettings:
    """Budgets per snapshot (per tree where the patch stays for the episode)."""

    prompts: int = 40  # nodes expanded at most
    episodes: int = 40  # episodes sampled from the frontier at most
    tolerance: float = 0.004  # no more episodes than an error of this size needs; growth ends at a gap this small
    floor: float = 0.02  # share of the effort spread evenly over all first commands
    expert_episodes: int = 2  # for p_expert, of an expert that is not deterministic
    retries: int = 2  # after an engine fault the tree is grown again, so many times
    patch_scope: Scope = "decision"
    play: PlaySettings = field(default_factory=lambda: PlaySettings(stop_unwinnable=True))


@dataclass(frozen=True, slots=True)
class TreeValues:
    """What one query's trees gave."""

    commands: tuple[str, ...]
    first: dict[str, Reals]  # condition (also "force") -> distribution over first commands [A]
    estimates: dict[str, Estimate]  # condition -> success probability
    net_se: dict[str, float]  # condition -> standard error of the difference to its reference
    actions: list[Estimate] = field(default_factory=list)  # per first command, in the order of ``commands``
    log: TreeLog = field(default_factory=TreeLog)


def references(conditions: Mapping[str, object]) -> dict[str, str]:
    """Which condition each one is compared to."""
    pairs = {**dict.fromkeys(FORMATS, "placebo"), "force": "base"}
    return {c: reference for c, reference in pairs.items() if c in conditions and reference in conditions}


class Grower:
    """Grows the trees of one query. Its generators yield requests and are sent the answers."""

    def __init__(self, cached: CachedPolicy, environment: Environment, query: Query, settings: TreeSettings) -> None:
        self._cached = cached
        self._environment = environment
        self._query = query
        self._settings = settings
        self._temperature = settings.play.temperature

    def values(
        self,
        patches: Mapping[str, str],
        force: str | None,
        later_patch: str,
        rng: np.random.Generator,
        whose: str = SHARED,
    ) -> Answers:
        """Values for first decisions under ``patches`` (by condition), later ones under ``later_patch``; ``whose``
        tree it is goes into its log."""
        settings = self._settings
        moment = self._environment.moment(self._query.start)
        commands = moment.state.commands
        requests = [self._request(moment, patch) for patch in patches.values()]
        first = dict(zip(patches, (yield from self._ask(requests)), strict=True))
        if force is not None:
            first["force"] = np.array([float(command == force) for command in commands])
        mixture = np.mean(list(first.values()), axis=0)
        mixture = (1 - settings.floor) * mixture + settings.floor / len(commands)
        steps = settings.play.steps_from(self._query.start)
        tree = Tree(Node(moment, requests[0].prompt, steps), mixture)
        if steps <= 0 or moment.state.unwinnable:
            for command in range(len(commands)):
                tree.connect(0, command, LOSS)
        else:
            yield from self._grow(tree, later_patch)
        frontier = tree.frontier()
        walks, values = yield from self._sample(tree, frontier, list(first.values()), later_patch, rng)
        counts = _count(walks, len(frontier.items))
        estimates = {c: estimate(pi, frontier, values, counts) for c, pi in first.items()}
        net_se = {
            c: difference_error(first[c], first[reference], frontier, values)
            for c, reference in references(first).items()
        }
        actions = [estimate(one, frontier, values, counts) for one in np.eye(len(commands))]
        log = log_tree(self._query, whose, tree, walks)
        return TreeValues(commands, first, estimates, net_se, actions, log)

    def _request(self, moment: Moment, patch: str) -> Request:
        context = self._context(moment, patch)
        return Request(self._cached.prompt(context), context.commands, self._query.adapter)

    def _context(self, moment: Moment, patch: str) -> Context:
        """What the student knows at `moment`; `patch` is for the snapshot's decision, and later ones still read it."""
        return moment.context(patch, len(self._query.start.prefix))

    def _ask(self, requests: list[Request]) -> Generator[list[Request], list[Reals], list[Reals]]:
        answers = yield requests
        return [np.exp(tempered(logp, self._temperature)) for logp in answers]

    def _follow(self, tree: Tree, index: int, command: int, patch: str) -> int:
        """Where ``command`` leads from a node, played unless it was tried: a node's index, WIN or LOSS."""
        node = tree.nodes[index]
        child = node.children[command]
        if child != UNTRIED:
            return child
        moment = self._environment.step(node.moment, node.commands[command])
        state = moment.state
        if state.won:
            return WIN
        if state.lost or state.unwinnable or node.steps_left <= 1 or not state.commands:
            return LOSS
        return tree.find(moment, self._cached.prompt(self._context(moment, patch)), node.steps_left - 1)

    def _node_request(self, tree: Tree, index: int) -> Request:
        node = tree.nodes[index]
        return Request(node.prompt, node.commands, self._query.adapter)

    def _grow(self, tree: Tree, patch: str) -> Generator[list[Request], list[Reals], None]:
        """Expand the likeliest pieces until the prompts are spent or next to nothing is open."""
        settings = self._settings
        while tree.expanded < settings.prompts and tree.open > settings.tolerance:
            # a wave may not depend on what other trees do; its size keeps the order of expansion nearly best-first
            wave: dict[int, None] = {}
            room = min(settings.prompts - tree.expanded, max(1, tree.expanded // 4))
            while len(wave) < room and tree.open > settings.tolerance:
                item = tree.pop()
                if item is None:
                    break
                if item.command is None:
                    wave[item.node] = None
                else:
                    tree.connect(item.node, item.command, self._follow(tree, item.node, item.command, patch))
            if not wave:
                return
            answers = yield from self._ask([self._node_request(tree, index) for index in wave])
            for index, probabilities in zip(wave, answers, strict=True):
                tree.expand(index, probabilities)

    def _sample(
        self,
        tree: Tree,
        frontier: Frontier,
        first: Sequence[Reals],
        patch: str,
        rng: np.random.Generator,
    ) -> Generator[list[Request], list[Reals], tuple[list[Walk], FrontierValues]]:
        """Episodes from the frontier, as many as the tolerance needs.

        Episodes that meet at a node draw their commands systematically: each has the student's distribution,
        together they spread over it evenly.
        """
        masses = frontier.reach @ tree.mixture if frontier.items else np.zeros(0)
        if not len(masses) or masses.sum() <= 1e-12:
            return [], frontier_values(np.ones(len(masses)), [0] * len(masses), [0] * len(masses))
        width = max(float((frontier.reach @ pi).sum()) for pi in first)
        needed = math.ceil((width / (2 * self._settings.tolerance)) ** 2)  # sd of an outcome <= 1/2
        number = max(1, min(self._settings.episodes, needed))
        counts = allocate(masses, number, float(rng.random())).tolist()
        walks: list[Walk] = []
        # waiting: node -> episodes that stand there
        waiting: dict[int, list[Walk]] = {}

        def arrive(child: int, walk: Walk) -> None:
            if child >= 0:
                waiting.setdefault(child, []).append(walk)
            else:
                walk.success = child == WIN

        for index, (item, count) in enumerate(zip(frontier.items, counts, strict=True)):
            if not count:
                continue
            node, child, begun = tree.nodes[item.node], item.node, list[str]()
            if item.command is not None:
                child = self._follow(tree, item.node, item.command, patch)
                node.children[item.command] = child
                begun = [node.commands[item.command]]
            for _ in range(count):
                walks.append(Walk(index, item.node, list(begun)))
                arrive(child, walks[-1])
        while waiting:
            level = max(tree.nodes[index].steps_left for index in waiting)
            here = sorted(index for index in waiting if tree.nodes[index].steps_left == level)
            unknown = [index for index in here if tree.nodes[index].probabilities is None]
            if unknown:
                answers = yield from self._ask([self._node_request(tree, index) for index in unknown])
                for index, probabilities in zip(unknown, answers, strict=True):
                    tree.nodes[index].probabilities = probabilities
            for index in here:
                standing = waiting.pop(index)
                node = tree.nodes[index]
                assert node.probabilities is not None
                cumulated = np.cumsum(node.probabilities)
                marks = (rng.permutation(len(standing)) + rng.random()) / len(standing) * cumulated[-1]
                chosen = np.minimum(np.searchsorted(cumulated, marks, side="right"), len(cumulated) - 1)
                for walk, command in zip(standing, chosen.tolist(), strict=True):
                    child = self._follow(tree, index, command, patch)
                    node.children[command] = child
                    walk.actions.append(node.commands[command])
                    arrive(child, walk)
        expected = masses * (number / masses.sum())
        wins = _count([walk for walk in walks if walk.success], len(masses))
        return walks, frontier_values(expected, wins, counts)


def _count(walks: Sequence[Walk], items: int) -> list[int]:
    """How many of ``walks`` began at each of the frontier's items."""
    return np.bincount(np.array([walk.item for walk in walks], dtype=np.int64), minlength=items).tolist()
