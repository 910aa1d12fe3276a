"""Every token once: key-value states of prompts in a radix tree, so that what prompts share is read once.

A prompt that continues another, as the layout `dialogue` writes them, is read from where the other ended; what the
prompts of a wave share is read before them, once. Behind the prompt the commands stand as a tree of tokens
(:mod:`teachable.student.trees`), so that a decision is one forward pass over what is new and its commands. The states
take bounded memory: those not used for longest are dropped, and read again where they are needed.

The radix tree of key-value states is that of SGLang (Zheng et al. 2024, RadixAttention).
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from teachable.student.meter import METER
from teachable.student.scoring import MAX_LOGITS, Request, last_logits_and_cache, score_tree, tree_log_probabilities

_SHARE = 0.5  # of the memory, for the new states of the prompts that are read together


@dataclass(eq=False, slots=True)
class _Node:
    """A run of tokens behind those of its parent."""

    tokens: np.ndarray  # [n] int64
    parent: _Node | None
    start: int  # tokens before it
    used: int = 0
    users: int = 0  # requests of the current wave that go through it
    states: torch.Tensor | None = None  # [layers, 2, heads, n, head size]
    children: dict[int, _Node] = field(default_factory=dict)

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a forward pass: `tokens` behind the states of `past`, then the commands of `request` if any."""

    past: list[_Node]
    tokens: np.ndarray
    into: list[_Node]  # nodes whose states the first of `tokens` give
    request: int | None = None
    nodes: int = 0

    @property
    def before(self) -> int:
        return self.past[-1].end if self.past else 0


class PrefixCache:
    """The key-value states of prompts that one model has read; a tree for every adapter.

    `budget`: bytes of states to keep. Answers are those of plain forward passes up to rounding, for models that
    `tree_is_exact` accepts.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.held = 0  # bytes of states
        self._roots: dict[Hashable, _Node] = {}
        self._clock = 0

    def forget(self, adapter: Hashable = None, *, everything: bool = False) -> None:
        """Drop the states under one adapter (None: of the base model), or all."""
        for name in list(self._roots) if everything else [adapter]:
            root = self._roots.pop(name, None)
            if root is not None:
                self.held -= sum(_bytes(node.states) for node in _below(root))

    def scores(
        self, model: Any, requests: Sequence[Request], pad: int, adapter: Hashable, batch_tokens: int
    ) -> list[np.ndarray]:
        """Log-probabilities [S] of each request's tree, as the scorers give them.

        `adapter` is the one in force. A forward pass has at most `batch_tokens` tokens, padding and all, or one row.
        """
        found: dict[int, np.ndarray] = {}
        token_bytes = _token_bytes(model)
        for wave in _waves(requests, int(self.budget * _SHARE) // token_bytes):
            if len(wave) == 1 and len(requests[wave[0]].prompt) * token_bytes > self.budget:
                chosen = [requests[wave[0]]]  # more than may be kept: read and forgotten
                METER.read(chosen[0].width)
                found |= zip(wave, score_tree(model, chosen, pad), strict=True)
            else:
                try:
                    found |= self._wave(model, requests, wave, pad, adapter, batch_tokens)
                except BaseException:
                    self.forget(everything=True)  # nodes that have no states yet
                    raise
            self._evict()
        return [found[index] for index in range(len(requests))]

    def _wave(
        self,
        model: Any,
        requests: Sequence[Request],
        wave: Sequence[int],
        pad: int,
        adapter: Hashable,
        batch_tokens: int,
    ) -> dict[int, np.ndarray]:
        self._clock += 1
        root = self._roots.setdefault(adapter, _Node(np.empty(0, dtype=np.int64), None, 0))
        prompts = {index: np.asarray(requests[index].prompt, dtype=np.int64) for index in wave}
        for prompt in prompts.values():  # all at first: a later one may split the nodes of an earlier one
            self._insert(root, prompt[:-1])
        paths = {index: self._path(root, prompt[:-1]) for index, prompt in prompts.items()}
        for path in paths.values():
            for node in path:
                node.used, node.users = self._clock, node.users + 1
        self._read_shared(model, list(paths.values()), pad, batch_tokens)
        rows = []
        for index, path in paths.items():
            known = next((place for place, node in enumerate(path) if node.states is None), len(path))
            start = path[known].start if known < len(path) else len(prompts[index]) - 1
            rows.append(_Row(path[:known], prompts[index][start:], path[known:], index, requests[index].tree.size))
        vocabulary = int(model.config.get_text_config().vocab_size)
        found: dict[int, np.ndarray] = {}
        for batch in _batches(rows, batch_tokens, vocabulary):
            answers = self._forward(
                model, batch, pad, [requests[row.request] for row in batch if row.request is not None]
            )
            found |= {int(row.request or 0): answer for row, answer in zip(batch, answers, strict=True)}
        for path in paths.values():
            for node in path:
                node.users = 0
        return found

    def _insert(self, root: _Node, tokens: np.ndarray) -> None:
        """Nodes for `tokens`, splitting those that go another way from somewhere on."""
        node, place = root, 0
        while place < len(tokens):
            child = node.children.get(int(tokens[place]))
            if child is None:
                child = _Node(tokens[place:], node, place)
                node.children[int(tokens[place])] = child
                return
            same = _common(child.tokens, tokens[place:])
            if same < len(child.tokens):
                child = _split(child, same)
            node, place = child, place + same

    def _path(self, root: _Node, tokens: np.ndarray) -> list[_Node]:
        node, place, found = root, 0, []
        while place < len(tokens):
            node = node.children[int(tokens[place])]
            found.append(node)
            place = node.end
        return found

    def _read_shared(self, model: Any, paths: Sequence[Sequence[_Node]], pad: int, batch_tokens: int) -> None:
        """States of the nodes that several prompts of the wave go through, parents before children."""
        missing = {id(node): node for path in paths for node in path if node.states is None and node.users > 1}
        while missing:
            ready = [node for node in missing.values() if node.parent is not None and id(node.parent) not in missing]
            rows = [_Row(_ancestors(node), node.tokens, [node]) for node in ready]
            for batch in _batches(rows, batch_tokens, 0):
                self._forward(model, batch, pad, [])
            for node in ready:
                del missing[id(node)]

    def _forward(self, model: Any, rows: Sequence[_Row], pad: int, requests: Sequence[Request]) -> list[np.ndarray]:
        """One forward pass: keeps the states of new nodes, and answers `requests`, one a row or none."""
        device, dtype = model.device, model.dtype
        before = max(row.before for row in rows)
        chain = max(len(row.tokens) for row in rows)
        nodes = max(row.nodes for row in rows)
        width = chain + nodes
        ids = np.full((len(rows), width), pad, dtype=np.int64)
        positions = np.zeros((len(rows), width), dtype=np.int64)
        allowed = np.zeros((len(rows), width, before + width), dtype=bool)
        causal = np.tril(np.ones((chain, chain), dtype=bool))
        for place, row in enumerate(rows):
            count, first = len(row.tokens), chain - len(row.tokens)
            ids[place, first:chain] = row.tokens
            positions[place, first:chain] = row.before + np.arange(count)
            allowed[place, first:, before - row.before : before] = True
            allowed[place, first:chain, before + first : before + chain] = causal[first:, first:]
            if row.nodes:
                tree = requests[place].tree
                ids[place, chain : chain + tree.size] = tree.tokens
                positions[place, chain : chain + tree.size] = row.before + count + tree.depths
                allowed[place, chain:, before + first : before + chain] = True
                allowed[place, chain : chain + tree.size, before + chain : before + chain + tree.size] = tree.attends
        own = np.arange(width)
        allowed[:, own, before + own] = True  # padding sees itself: no empty row
        seen = torch.from_numpy(allowed).to(device)
        mask = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, torch.finfo(dtype).min)
        logits, cache = last_logits_and_cache(
            model,
            nodes + 1 if requests else 1,
            input_ids=torch.from_numpy(ids).to(device),
            attention_mask=mask[:, None],
            position_ids=torch.from_numpy(positions).to(device),
            past_key_values=_past(model, rows, before) if before else DynamicCache(config=model.config),
        )
        METER.read(sum(len(row.tokens) + row.nodes for row in rows))
        for place, row in enumerate(rows):
            at = before + chain - len(row.tokens)
            for node in row.into:
                node.states = torch.stack(
                    [
                        torch.stack([part[place, :, at : at + len(node.tokens)] for part in (layer.keys, layer.values)])
                        for layer in cache.layers
                    ]
                )
                self.held += _bytes(node.states)
                at += len(node.tokens)
        return tree_log_probabilities(logits, requests) if requests else []

    def _evict(self) -> None:
        """Drop states, those that were not used for longest first, until no more than the budget are held.

        Leaves go first, so that what is kept always reaches up to the root.
        """
        if self.held <= self.budget:
            return
        order = [
            (node.used, id(node), node) for root in self._roots.values() for node in _below(root) if not node.children
        ]
        heapq.heapify(order)
        while self.held > self.budget and order:
            _, _, node = heapq.heappop(order)
            self.held -= _bytes(node.states)
            node.states = None
            parent = node.parent
            assert parent is not None
            del parent.children[int(node.tokens[0])]
            if not parent.children and parent.parent is not None:
                heapq.heappush(order, (parent.used, id(parent), parent))


def _waves(requests: Sequence[Request], most: int) -> Iterator[list[int]]:
    """Indices of requests, neighbours by their prompts together, whose prompts have at most `most` distinct tokens."""
    order = sorted(range(len(requests)), key=lambda index: requests[index].prompt)
    wave: list[int] = []
    tokens, last = 0, np.empty(0, dtype=np.int64)
    for index in order:
        prompt = np.asarray(requests[index].prompt, dtype=np.int64)
        new = len(prompt) - _common(last, prompt)
        if wave and tokens + new > most:
            yield wave
            wave, tokens, new = [], 0, len(prompt)
        wave.append(index)
        tokens, last = tokens + new, prompt
    if wave:
        yield wave


def _batches(rows: Sequence[_Row], batch_tokens: int, vocabulary: int) -> Iterator[list[_Row]]:
    """Rows of similar length; a batch has at most `batch_tokens` columns, padded, or one row."""
    batch: list[_Row] = []
    before = chain = nodes = 0
    for row in sorted(rows, key=lambda row: (len(row.tokens), row.nodes, row.before)):
        wider = max(before, row.before), max(chain, len(row.tokens)), max(nodes, row.nodes)
        count = len(batch) + 1
        # what is kept is copied for every row: a cheap column, but not a free one
        if batch and (
            count * (wider[1] + wider[2] + wider[0] // 8) > batch_tokens
            or count * (wider[2] + 1) * vocabulary > MAX_LOGITS
        ):
            yield batch
            batch, wider = [], (row.before, len(row.tokens), row.nodes)
        batch.append(row)
        before, chain, nodes = wider
    if batch:
        yield batch


def _past(model: Any, rows: Sequence[_Row], before: int) -> DynamicCache:
    """The states of every row's past, on the right of `before` columns."""
    first = next(row.past[0].states for row in rows if row.past)
    assert first is not None
    layers, _, heads, _, size = first.shape
    states = first.new_zeros((layers, 2, len(rows), heads, before, size))
    for place, row in enumerate(rows):
        at = before - row.before
        for node in row.past:
            assert node.states is not None
            states[:, :, place, :, at : at + len(node.tokens)] = node.states
            at += len(node.tokens)
    cache = DynamicCache(config=model.config)
    for layer in range(layers):
        cache.update(states[layer, 0], states[layer, 1], layer)
    return cache


def _common(left: np.ndarray, right: np.ndarray) -> int:
    """How many tokens two runs begin with alike."""
    size = min(len(left), len(right))
    differ = np.flatnonzero(left[:size] != right[:size])
    return int(differ[0]) if len(differ) else size


def _split(node: _Node, size: int) -> _Node:
    """The first `size` tokens of `node` as a node of their own, between it and its parent."""
    assert node.parent is not None
    upper = _Node(node.tokens[:size], node.parent, node.start, node.used, node.users)
    if node.states is not None:
        upper.states = node.states[..., :size, :].contiguous()
        node.states = node.states[..., size:, :].contiguous()
    node.parent.children[int(upper.tokens[0])] = upper
    node.tokens, node.start, node.parent = node.tokens[size:], node.start + size, upper
    upper.children[int(node.tokens[0])] = node
    return upper


def _ancestors(node: _Node) -> list[_Node]:
    """The nodes above `node`, from the root's child on."""
    found = []
    above = node.parent
    while above is not None and above.parent is not None:
        found.append(above)
        above = above.parent
    return found[::-1]


def _below(root: _Node) -> Iterator[_Node]:
    waiting = list(root.children.values())
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.children.values())


def _bytes(states: torch.Tensor | None) -> int:
    return 0 if states is None else states.numel() * states.element_size()


def _token_bytes(model: Any) -> int:
    """Bytes of the key-value states of one token."""
    text = model.config.get_text_config()
    heads = int(getattr(text, "num_key_value_heads", None) or text.num_attention_heads)
    size = int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
    return 2 * int(text.num_hidden_layers) * heads * size * model.dtype.itemsize
