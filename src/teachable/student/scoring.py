"""Log-probabilities of command tokens behind prompts, five ways that agree.

* `radix`: as `tree`, behind what is kept of earlier prompts, so that every token is read once
  (:mod:`teachable.student.prefixes`).
* `tree`: one forward pass over [prompt, token tree], with a mask in which a node sees the prompt and its own
  ancestors; several requests a batch. Prompts are padded on the left and trees on the right, so the columns
  that predict anything are the last ones of every row. Exact for models whose layers all use full causal
  attention and positions given by `position_ids`.
* `prefix_cache`: the prompt once, its key-value cache repeated for the commands. For any model with a cache.
* `batched`, `naive`: full sequences of prompt and command, in batches or one by one. For comparison.

Every method takes requests (prompt token ids, tree, command token ids) and returns, per request, the
log-probabilities [S] float64 of its tree's predictions, in the tree's order.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from teachable.student.trees import TokenTree

# Model families whose decoders are plain causal attention with rotary or learned absolute positions.
TREE_FAMILIES = frozenset(
    {
        "gpt2",
        "granite",
        "llama",
        "mistral",
        "olmo2",
        "phi3",
        "qwen2",
        "qwen3",
        "qwen3_moe",
        "smollm3",
        "stablelm",
    }
)
MAX_LOGITS = 1 << 28  # logits kept per forward pass: half a gibibyte in bfloat16


@dataclass(frozen=True, slots=True)
class Request:
    """One decision to score."""

    prompt: list[int]
    tree: TokenTree
    commands: list[list[int]]

    @property
    def width(self) -> int:
        return len(self.prompt) + self.tree.size

    @property
    def longest(self) -> int:
        """Tokens that a forward pass over the longest command reads."""
        return len(self.prompt) + int(self.tree.lengths.max()) - 1


def tokens_read(method: str, requests: Sequence[Request]) -> int:
    """Tokens of the forward passes that score `requests` by `method` (but `radix`), padding apart."""
    if method == "tree":
        return sum(request.width for request in requests)
    if method == "prefix_cache":
        return sum(len(r.prompt) + sum(len(ids) - 1 for ids in r.commands) for r in requests)
    return sum(len(r.prompt) + len(ids) - 1 for r in requests for ids in r.commands)


def tree_is_exact(config: Any) -> bool:
    """Whether the model described by a transformers `config` may be scored by `tree` and `radix`."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    if text.model_type not in TREE_FAMILIES:
        return False
    kinds = getattr(text, "layer_types", None)
    if kinds is not None:
        return set(kinds) == {"full_attention"}
    return getattr(text, "sliding_window", None) is None


def length_switch(config: Any) -> int | None:
    """The number of tokens beyond which a forward pass reads *all* its positions otherwise, None where there is none.

    LongRoPE takes other frequencies for all rows of a pass as soon as the longest exceeds this, so that short rows must
    not share a pass with long ones. (Dynamic NTK scaling starts beyond `max_position_embeddings`, which no prompt may
    exceed.)
    """
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    rope = getattr(text, "rope_parameters", None) or {}
    found = []
    for part in (rope, *(value for value in rope.values() if isinstance(value, dict))):
        if "longrope" in (part.get("rope_type"), part.get("type")):
            own = part.get("original_max_position_embeddings") or getattr(
                text, "original_max_position_embeddings", None
            )
            found.append(int(own or text.max_position_embeddings))
    return min(found, default=None)


@cache
def _keeps_logits(forward: Callable[..., Any]) -> bool:
    return "logits_to_keep" in inspect.signature(forward).parameters


def last_logits(model: Any, keep: int, **inputs: Any) -> torch.Tensor:
    """Logits [B, `keep`, V] of the last columns of a forward pass, for families that cannot make only these, too."""
    wanted = {"logits_to_keep": keep} if _keeps_logits(type(model).forward) else {}
    logits: torch.Tensor = model(**inputs, **wanted, use_cache=False).logits
    return logits[:, -keep:]


def last_logits_and_cache(model: Any, keep: int, **inputs: Any) -> tuple[torch.Tensor, Any]:
    """As `last_logits`, with the key-value cache behind `past_key_values`."""
    wanted = {"logits_to_keep": keep} if _keeps_logits(type(model).forward) else {}
    output = model(**inputs, **wanted, use_cache=True)
    return output.logits[:, -keep:], output.past_key_values


def last_hidden(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """[B, T, H]: the last hidden layer, after the final norm."""
    decoder = model.get_decoder()
    if decoder is not model:
        hidden: torch.Tensor = decoder(input_ids=ids, use_cache=False).last_hidden_state
        return hidden
    states: Sequence[torch.Tensor] = model(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states
    return states[-1]


def batches(requests: Sequence[Request], batch_tokens: int, vocabulary: int) -> Iterator[list[int]]:
    """Indices of requests of similar width, at most `batch_tokens` padded tokens a batch (or one request)."""
    order = sorted(range(len(requests)), key=lambda i: (requests[i].width, len(requests[i].prompt)))
    batch: list[int] = []
    prompt = nodes = 0
    for index in order:
        wider = max(prompt, len(requests[index].prompt)), max(nodes, requests[index].tree.size)
        rows = len(batch) + 1
        if batch and (rows * sum(wider) > batch_tokens or rows * (wider[1] + 1) * vocabulary > MAX_LOGITS):
            yield batch
            batch, rows = [], 1
            wider = len(requests[index].prompt), requests[index].tree.size
        batch.append(index)
        prompt, nodes = wider
    if batch:
        yield batch


def token_log_probabilities(logits: torch.Tensor, targets: torch.Tensor, chunk: int = 2048) -> torch.Tensor:
    """log p [S] float32 of `targets` [S] under `logits` [S, V], the normalisation taken in float32."""
    pieces = []
    for start in range(0, len(targets), chunk):
        rows = logits[start : start + chunk].float()
        chosen = rows.gather(1, targets[start : start + chunk, None]).squeeze(1)
        pieces.append(chosen - torch.logsumexp(rows, dim=1))
    return torch.cat(pieces)


def _tree_inputs(
    requests: Sequence[Request], pad: int, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
    """Token ids [B, W], additive mask [B, 1, W, W], positions [B, W], and P, the columns of the prompt."""
    rows = len(requests)
    prompt = max(len(request.prompt) for request in requests)
    nodes = max(request.tree.size for request in requests)
    ids = np.full((rows, prompt + nodes), pad, dtype=np.int64)
    positions = np.zeros((rows, prompt + nodes), dtype=np.int64)
    attends = np.zeros((rows, nodes, nodes), dtype=bool)
    starts = np.empty(rows, dtype=np.int64)
    for row, request in enumerate(requests):
        length, size = len(request.prompt), request.tree.size
        starts[row] = prompt - length
        ids[row, prompt - length : prompt] = request.prompt
        positions[row, prompt - length : prompt] = np.arange(length)
        ids[row, prompt : prompt + size] = request.tree.tokens
        positions[row, prompt : prompt + size] = length + request.tree.depths
        attends[row, :size, :size] = request.tree.attends
    columns = torch.arange(prompt + nodes, device=device)
    real = columns[None, :] >= torch.from_numpy(starts).to(device)[:, None]  # [B, W]
    seen = (columns[None, :] <= columns[:, None]) & (columns < prompt)  # causal over the prompt's columns
    allowed = real[:, None, :] & seen
    allowed[:, prompt:, prompt:] = torch.from_numpy(attends).to(device)
    allowed |= torch.eye(prompt + nodes, dtype=torch.bool, device=device)  # padding sees itself: no empty row
    mask = torch.zeros(allowed.shape, dtype=dtype, device=device).masked_fill_(~allowed, torch.finfo(dtype).min)
    return torch.from_numpy(ids).to(device), mask[:, None], torch.from_numpy(positions).to(device), prompt


def score_tree(model: Any, requests: Sequence[Request], pad: int) -> list[np.ndarray]:
    """All requests in one forward pass."""
    device = model.device
    ids, mask, positions, _ = _tree_inputs(requests, pad, device, model.dtype)
    keep = max(request.tree.size for request in requests) + 1  # the prompt's last column and the tree's
    logits = last_logits(model, keep, input_ids=ids, attention_mask=mask, position_ids=positions)
    return tree_log_probabilities(logits, requests)


def tree_log_probabilities(logits: torch.Tensor, requests: Sequence[Request]) -> list[np.ndarray]:
    """Log-probabilities [S] of each request's tree from logits [B, N + 1, V]: of the prompt's last token and of the
    tree's, padded on the right."""
    device = logits.device
    counts = [len(request.tree.sources) for request in requests]
    rows = torch.from_numpy(np.repeat(np.arange(len(requests)), counts)).to(device)
    sources = torch.from_numpy(np.concatenate([request.tree.sources for request in requests]) + 1).to(device)
    targets = torch.from_numpy(np.concatenate([request.tree.targets for request in requests])).to(device)
    pieces = []
    for start in range(0, len(rows), 2048):
        part = slice(start, start + 2048)
        pieces.append(token_log_probabilities(logits[rows[part], sources[part]], targets[part]))
    found = torch.cat(pieces).double().cpu().numpy()
    return np.split(found, np.cumsum(counts)[:-1])


def _sequence_scores(model: Any, sequences: Sequence[tuple[list[int], list[int]]], pad: int) -> list[torch.Tensor]:
    """Log-probabilities of each completion behind its prompt, right-padded in one forward pass."""
    width = max(len(prompt) + len(completion) - 1 for prompt, completion in sequences)
    first = min(len(prompt) for prompt, _ in sequences) - 1
    ids = torch.full((len(sequences), width), pad, dtype=torch.long)
    for row, (prompt, completion) in enumerate(sequences):
        ids[row, : len(prompt) + len(completion) - 1] = torch.tensor(prompt + completion[:-1])
    logits = last_logits(model, width - first, input_ids=ids.to(model.device))
    found = []
    for row, (prompt, completion) in enumerate(sequences):
        start = len(prompt) - 1 - first
        rows = logits[row, start : start + len(completion)]
        found.append(token_log_probabilities(rows, torch.tensor(completion, device=model.device)))
    return found


def score_naive(model: Any, requests: Sequence[Request], pad: int) -> list[np.ndarray]:
    """One forward pass per command over its full sequence: slow, and plainly right."""
    return [
        np.concatenate(
            [_sequence_scores(model, [(r.prompt, ids)], pad)[0].double().cpu().numpy() for ids in r.commands]
        )
        for r in requests
    ]


def score_batched(model: Any, requests: Sequence[Request], pad: int) -> list[np.ndarray]:
    """One forward pass per request over its K full sequences, right-padded."""
    return [
        torch.cat(_sequence_scores(model, [(r.prompt, ids) for ids in r.commands], pad)).double().cpu().numpy()
        for r in requests
    ]


def _one(model: Any) -> dict[str, int]:
    return {"logits_to_keep": 1} if _keeps_logits(type(model).forward) else {}


def score_prefix_cache(model: Any, requests: Sequence[Request], pad: int) -> list[np.ndarray]:
    """The prompt once, then its key-value cache repeated for the commands; one request after the other."""
    found = []
    for request in requests:
        device, commands = model.device, request.commands
        output = model(input_ids=torch.tensor([request.prompt], device=device), use_cache=True, **_one(model))
        first = output.logits[:, -1]  # [1, V]
        width = max(len(ids) for ids in commands) - 1
        logits = first[:, None].expand(len(commands), -1, -1)
        if width:
            cache = output.past_key_values
            cache.batch_repeat_interleave(len(commands))
            ids = torch.full((len(commands), width), pad, dtype=torch.long)
            for row, command in enumerate(commands):
                ids[row, : len(command) - 1] = torch.tensor(command[:-1])
            behind = model(input_ids=ids.to(device), past_key_values=cache, use_cache=True).logits
            logits = torch.cat([logits, behind], dim=1)
        pieces = [
            token_log_probabilities(logits[row, : len(ids)], torch.tensor(ids, device=device))
            for row, ids in enumerate(commands)
        ]
        found.append(torch.cat(pieces).double().cpu().numpy())
    return found


RADIX = "radix"  # which keeps what it reads, so that it is no function of the requests alone
Scorer = Callable[[Any, Sequence[Request], int], list[np.ndarray]]
SCORERS: dict[str, Scorer] = {
    "tree": score_tree,
    "prefix_cache": score_prefix_cache,
    "batched": score_batched,
    "naive": score_naive,
}
METHODS = (RADIX, *SCORERS)  # each plainer than the one before


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Log-probabilities [K] float64 of scores [K], as a read-only array."""
    shifted = scores - scores.max()
    found: np.ndarray = shifted - np.log(np.exp(shifted).sum())
    found.flags.writeable = False
    return found
