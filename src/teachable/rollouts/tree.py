"""The rollout tree behind one decision: who reaches what, what is certain, and what is left to sample.

World and student are deterministic given what happened, so the future of a decision is a graph of nodes
``(world digest, prompt, steps left)`` in which a command leads from one node to another, to a win or to a
loss. With R[f, a] the probability of reaching f when command a is played first and then the student plays,

    V(a) = W(a) + sum_f R[f, a] V_f,        W(a) = probability of a win inside the expanded part,

where f runs over the frontier: commands not yet tried and nodes not yet expanded. Any policy that differs at
the first decision only has the value sum_a pi(a) V(a), so one tree serves all of them.

This module is bookkeeping and arithmetic: it neither plays nor asks a model.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachable.rollouts.policy import Reals
from teachable.rollouts.sessions import Moment

Key = tuple[str, str, int]  # world digest, prompt without patch, steps left

WIN, LOSS, UNTRIED = -1, -2, -3


class Node:
    """A decision of the student, reached in one or more ways."""

    __slots__ = (
        "children",
        "commands",
        "mass",
        "moment",
        "next",
        "order",
        "probabilities",
        "prompt",
        "steps_left",
    )

    def __init__(self, moment: Moment, prompt: str, steps_left: int) -> None:
        self.moment = moment
        self.prompt = prompt
        self.steps_left = steps_left
        self.commands = moment.state.commands
        self.children = [UNTRIED] * len(self.commands)  # node index, WIN, LOSS or UNTRIED
        self.probabilities: Reals | None = None  # None: the student has not been asked
        self.mass = 0.0  # reach probability under the mixture of conditions
        self.order: list[int] = []  # commands by falling probability
        self.next = 0  # first untried command in ``order``


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of the frontier: a node that is not expanded (``command`` None), or an untried command."""

    node: int
    command: int | None


@dataclass(frozen=True, slots=True)
class Frontier:
    """The expanded part's certain outcomes per first command, and what is left."""

    win: Reals  # [A] probability of a certain win, by first command
    loss: Reals  # [A]
    items: tuple[Item, ...]
    reach: Reals  # [F, A]


class Tree:
    """A growing tree. Node 0 is the snapshot's decision, whose commands ``mixture`` [A] weighs."""

    def __init__(self, root: Node, mixture: Reals) -> None:
        self.nodes = [root]
        self.mixture = mixture
        self.expanded = 1  # nodes in the tree proper; the root counts
        self.open = 1.0  # mixture probability of all that is not certain yet
        self._index: dict[Key, int] = {}
        self._heap: list[tuple[float, int]] = []
        self._grown = {0}
        root.mass = 1.0
        self._expand(0, mixture)

    def key(self, moment: Moment, prompt: str, steps_left: int) -> Key:
        return (moment.state.digest, prompt, steps_left)

    def find(self, moment: Moment, prompt: str, steps_left: int) -> int:
        """The index of the node of a moment; a new node unless it was met before on another way."""
        key = self.key(moment, prompt, steps_left)
        index = self._index.get(key)
        if index is None:
            index = len(self.nodes)
            self._index[key] = index
            self.nodes.append(Node(moment, prompt, steps_left))
        return index

    def pop(self) -> Item | None:
        """The likeliest piece of the frontier to work on next; None when nothing is left.

        An untried command is handed out once: the caller tries it and calls :meth:`connect`.
        A node is handed out when it is to be expanded: the caller asks the student and calls :meth:`expand`.
        """
        while self._heap:
            priority, index = heapq.heappop(self._heap)
            node = self.nodes[index]
            if index not in self._grown:
                if -priority == node.mass:
                    return Item(index, None)
                continue
            self._skip_tried(node)
            if node.next == len(node.order):
                continue
            command = node.order[node.next]
            if -priority != self._edge_mass(index, command):
                continue  # a stale entry: a fresher one is in the heap
            node.next += 1
            self._push(index)
            return Item(index, command)
        return None

    def connect(self, index: int, command: int, child: int) -> None:
        """Record that ``command`` leads from node ``index`` to ``child`` (a node's index, WIN or LOSS)."""
        node = self.nodes[index]
        node.children[command] = child
        self._arrive(child, self._edge_mass(index, command))

    def expand(self, index: int, probabilities: Reals) -> None:
        """Give node ``index`` the student's distribution and make it part of the tree."""
        self.nodes[index].probabilities = probabilities
        self.expanded += 1
        self._grown.add(index)
        self._expand(index, probabilities)

    def is_expanded(self, index: int) -> bool:
        """Whether node ``index`` is of the tree proper, and not of its frontier."""
        return index in self._grown

    def frontier(self) -> Frontier:
        """What is certain and what is left now; take it before sampling, which tries further commands.

        One pass in the order of falling steps left, which every command decreases.
        """
        first = len(self.mixture)
        reach = {0: None} | {index: np.zeros(first) for index in range(1, len(self.nodes))}
        win, loss = np.zeros(first), np.zeros(first)
        items: list[Item] = []
        rows: list[Reals] = []
        for index in sorted(range(len(self.nodes)), key=lambda i: (-self.nodes[i].steps_left, i)):
            node, here = self.nodes[index], reach[index]
            if index not in self._grown:
                if here is not None and here.any():
                    items.append(Item(index, None))
                    rows.append(here)
                continue
            for command, child in enumerate(node.children):
                if here is None:
                    along = np.zeros(first)
                    along[command] = 1.0
                else:
                    assert node.probabilities is not None
                    along = here * node.probabilities[command]
                if child == WIN:
                    win += along
                elif child == LOSS:
                    loss += along
                elif child == UNTRIED:
                    items.append(Item(index, command))
                    rows.append(along)
                else:
                    onward = reach[child]
                    assert onward is not None
                    onward += along
        return Frontier(win, loss, tuple(items), np.array(rows).reshape(len(rows), first))

    def _expand(self, index: int, probabilities: Reals) -> None:
        node = self.nodes[index]
        node.order = np.argsort(-probabilities, kind="stable").tolist()
        node.next = 0
        self._push(index)
        for command, child in enumerate(node.children):
            if child != UNTRIED:
                self._arrive(child, node.mass * float(probabilities[command]))

    def _edge_mass(self, index: int, command: int) -> float:
        node = self.nodes[index]
        probabilities = self.mixture if index == 0 else node.probabilities
        assert probabilities is not None
        return node.mass * float(probabilities[command])

    def _arrive(self, child: int, mass: float) -> None:
        """Let ``mass`` more reach ``child`` and all that is known to follow from it."""
        if child in (WIN, LOSS):
            self.open -= mass
            return
        node = self.nodes[child]
        node.mass += mass
        if child not in self._grown:
            heapq.heappush(self._heap, (-node.mass, child))
            return
        assert node.probabilities is not None
        for command, onward in enumerate(node.children):
            if onward != UNTRIED:
                self._arrive(onward, mass * float(node.probabilities[command]))
        self._push(child)

    def _push(self, index: int) -> None:
        node = self.nodes[index]
        self._skip_tried(node)
        if node.next < len(node.order):
            heapq.heappush(self._heap, (-self._edge_mass(index, node.order[node.next]), index))

    @staticmethod
    def _skip_tried(node: Node) -> None:
        while node.next < len(node.order) and node.children[node.order[node.next]] != UNTRIED:
            node.next += 1


def allocate(masses: Reals, number: int, u: float) -> NDArray[np.int64]:
    """How many of ``number`` episodes each frontier item gets: systematic sampling.

    With one uniform ``u`` in [0, 1); item f expects e_f = number * masses_f / sum and gets floor(e_f) or ceil(e_f).
    """
    ends = np.cumsum(masses)
    marks = (np.arange(number) + u) / number * ends[-1]
    chosen = np.minimum(np.searchsorted(ends, marks, side="right"), len(masses) - 1)
    return np.bincount(chosen, minlength=len(masses)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class FrontierValues:
    """Unbiased values of the frontier's items and their variances [F]."""

    value: Reals
    variance: Reals


def frontier_values(expected: Reals, wins: Sequence[int], counts: Sequence[int]) -> FrontierValues:
    """Values of items from ``counts`` sampled episodes with ``wins`` successes and ``expected`` e_f [F].

    An item that is certain to be sampled (e_f >= 1) has the mean of its own episodes. The others, sampled
    once with probability e_f or not at all, have the difference estimator (Saerndal, Swensson and Wretman
    1992, ch. 6)

        V_f = m + (y_f - m) / e_f   if sampled,   V_f = m   if not,

    with m the mean outcome of all episodes: it may lie outside [0, 1], yet sums of R[f, a] V_f over items are
    (up to the O(1/K) bias from estimating m) unbiased. Variances: q (1 - q) / n_f and q (1 - q) / e_f, where
    q is a share of successes drawn towards that of all episodes by the weight of one episode, so that few
    equal outcomes do not look certain; taken as independent, which overstates errors of systematic samples.
    """
    y, n = np.asarray(wins, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    total = float(n.sum())
    mean = float(y.sum()) / total if total else 0.5
    own = np.divide(y, n, out=np.full(len(y), mean), where=n > 0)
    certain = expected >= 1.0 - 1e-9
    weight = 1.0 / np.maximum(expected, 1e-300)
    value = np.where(certain, own, mean + np.where(n > 0, (own - mean) * weight, 0.0))
    rare = ~certain
    rare_n, rare_y = float(n[rare].sum()), float(y[rare].sum())
    prior = (float(y.sum()) + 0.5) / (total + 1.0)
    q_rare = (rare_y + prior) / (rare_n + 1.0)
    q_own = (y + prior) / (n + 1.0)
    variance = np.where(certain, q_own * (1 - q_own) / np.maximum(n, 1.0), q_rare * (1 - q_rare) * weight)
    return FrontierValues(value, variance)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A probability, its standard error, its certified bounds, the sampled episodes that bear on it."""

    value: float
    se: float
    lower: float
    upper: float
    n: int


def estimate(first: Reals, frontier: Frontier, values: FrontierValues, counts: Sequence[int]) -> Estimate:
    """The value of playing ``first`` [A] (a distribution over first commands) and then the student.

    Value and error are cut to what the certified bounds allow: a variable in [lower, upper] has no standard
    deviation above half the width (Popoviciu).
    """
    lower = float(first @ frontier.win)
    along = frontier.reach @ first  # [F]
    upper = min(1.0, lower + float(along.sum()))
    value = min(max(lower + float(along @ values.value), lower), upper)
    se = min(float(np.sqrt(along**2 @ values.variance)), (upper - lower) / 2)
    n = int(np.asarray(counts)[along > 0].sum()) if len(along) else 0
    return Estimate(value, se, lower, upper, n)


def difference_error(a: Reals, b: Reals, frontier: Frontier, values: FrontierValues) -> float:
    """Standard error of the difference of two first-decision policies that share this frontier."""
    along = frontier.reach @ (a - b)
    return float(np.sqrt(along**2 @ values.variance))
