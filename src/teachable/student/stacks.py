"""LoRA adapters of one shape side by side: A [G, rank, inputs] and B [G, outputs, rank] of each adapted layer.

A forward hook on each adapted linear layer adds what the adapters say to the layer's output: one of them to all rows,
or to each row of the batch that of its own index. The layers themselves, and PEFT's around them, stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Linear as LoraLinear
from peft.tuners.lora.layer import LoraLayer

from teachable.student.errors import StudentError

PREFIX = "base_model.model."  # of PEFT's names of weights


class Unstackable(StudentError):
    """Adapters that cannot stand side by side: one after the other they can be used all the same."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What adapters must have in common: the layers they sit on, sorted (path, inputs, outputs), rank, and scaling."""

    layers: tuple[tuple[str, int, int], ...]
    rank: int
    scaling: float
    dtype: torch.dtype
    device: torch.device

    @property
    def size(self) -> int:
        """Numbers in one adapter."""
        return sum(self.rank * (inputs + outputs) for _, inputs, outputs in self.layers)

    @classmethod
    def of(cls, model: Any, slot: str, config: LoraConfig) -> Shape:
        """The shape of PEFT's adapter `slot` in `model`; Unstackable where it is more than A and B on linear layers."""
        layers: list[tuple[str, int, int]] = []
        kinds: set[tuple[int, float, torch.dtype, torch.device]] = set()
        for path, module in model.named_modules():
            if not isinstance(module, LoraLayer):
                continue
            if slot in module.lora_embedding_A or slot in module.lora_variant:
                raise Unstackable(f"{path} has an adapter that is not plain LoRA on a linear layer")
            if slot not in module.lora_A:
                continue
            a, b = module.lora_A[slot], module.lora_B[slot]
            if type(module) is not LoraLinear or b.bias is not None or module.merged:
                raise Unstackable(f"{path} has an adapter that is not plain LoRA on a linear layer")
            layers.append((path, int(a.weight.shape[1]), int(b.weight.shape[0])))
            kinds.add((int(a.weight.shape[0]), float(module.scaling[slot]), a.weight.dtype, a.weight.device))
        if config.modules_to_save or config.bias != "none" or config.trainable_token_indices or len(kinds) != 1:
            raise Unstackable("the adapters hold more than one rank, or other weights beside A and B")
        # in the order in which AdapterBank.reset draws: that of the parameters' names
        return cls(tuple(sorted(layers, key=lambda layer: f"{layer[0]}.lora_A.")), *kinds.pop())


class Rows(torch.autograd.Function):
    """Rows `index` [N] of stacked weights [G, ...]; their gradients are added up in one fixed order, on a GPU too."""

    @staticmethod
    def forward(ctx: Any, stacked: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """[N, ...]."""
        ctx.save_for_backward(index)
        ctx.count = len(stacked)
        return stacked.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        """[G, ...]: of each stacked one, the sum over its rows."""
        (index,) = ctx.saved_tensors
        (gradient,) = gradients
        places = torch.nn.functional.one_hot(index, ctx.count).T.to(gradient.dtype)  # [G, N]
        summed = places @ gradient.reshape(len(index), -1)
        return summed.view(ctx.count, *gradient.shape[1:]), None


def _selected(stacked: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return stacked.index_select(0, index)


def linear(model: Any, path: str) -> torch.nn.Module:
    """The model's own layer at `path`, without what PEFT put around it."""
    found = model.get_submodule(path)
    inner: torch.nn.Module = found.get_base_layer() if isinstance(found, LoraLayer) else found
    return inner


class Stack:
    """`count` adapters of one shape, and behind them one of zeros, which is the base model.

    `flat` [count + 1, size] holds them, an adapter a row; `pairs` are views of it, A and B of every layer.
    """

    def __init__(self, shape: Shape, count: int) -> None:
        self.shape = shape
        self.count = count
        self.flat = torch.zeros((count + 1, shape.size), dtype=shape.dtype, device=shape.device)
        self.pairs = self.views(self.flat)
        self.trained = False  # whether rows are read with gradients
        self._index: torch.Tensor | slice | int | None = None

    def views(self, flat: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Of `flat` [N, size]: A [N, rank, inputs] and B [N, outputs, rank] of each layer, sharing its memory."""
        found, start = [], 0
        for _, inputs, outputs in self.shape.layers:
            middle, stop = start + self.shape.rank * inputs, start + self.shape.rank * (inputs + outputs)
            a = flat[:, start:middle].view(-1, self.shape.rank, inputs)
            found.append((a, flat[:, middle:stop].view(-1, outputs, self.shape.rank)))
            start = stop
        return found

    def reset(self, row: int, seed: int) -> None:
        """Fresh weights: those of :meth:`teachable.student.adapters.AdapterBank.reset`."""
        generator = torch.Generator().manual_seed(seed % (1 << 63))
        for (_, inputs, _), (a, b) in zip(self.shape.layers, self.pairs, strict=True):
            bound = 1 / math.sqrt(inputs)
            a[row].copy_(torch.rand((self.shape.rank, inputs), generator=generator) * (2 * bound) - bound)
            b[row].zero_()

    def state(self, row: int) -> dict[str, torch.Tensor]:
        """A copy of one adapter's weights on the CPU, under PEFT's names."""
        found = {}
        for (path, _, _), (a, b) in zip(self.shape.layers, self.pairs, strict=True):
            found[f"{PREFIX}{path}.lora_A.weight"] = a[row].detach().to("cpu", copy=True).contiguous()
            found[f"{PREFIX}{path}.lora_B.weight"] = b[row].detach().to("cpu", copy=True).contiguous()
        return found

    def fill(self, row: int, state: Mapping[str, torch.Tensor]) -> None:
        """Weights as `state` gives them."""
        for (path, _, _), (a, b) in zip(self.shape.layers, self.pairs, strict=True):
            a[row].copy_(state[f"{PREFIX}{path}.lora_A.weight"])
            b[row].copy_(state[f"{PREFIX}{path}.lora_B.weight"])

    def choose(self, rows: int | Sequence[int]) -> None:
        """Which adapter the next forward passes use: one for all rows of a batch, or each row's own."""
        if isinstance(rows, int):
            self._index = rows
        elif list(rows) == list(range(rows[0], rows[0] + len(rows))):
            self._index = slice(rows[0], rows[0] + len(rows))  # nothing to gather
        else:
            self._index = torch.tensor(rows, device=self.shape.device)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """The base model alone."""
        before, self._index = self._index, None
        try:
            yield
        finally:
            self._index = before

    def attach(
        self, model: Any, pairs: Sequence[tuple[torch.Tensor, torch.Tensor]] | None = None
    ) -> list[torch.utils.hooks.RemovableHandle]:
        """Hooks on the adapted layers, to be removed by the caller. `pairs`: instead of the stack's own."""
        handles = []
        for (path, _, _), pair in zip(self.shape.layers, pairs or self.pairs, strict=True):

            def hook(
                _: torch.nn.Module,
                inputs: tuple[torch.Tensor, ...],
                output: torch.Tensor,
                pair: tuple[torch.Tensor, torch.Tensor] = pair,
            ) -> torch.Tensor:
                return self._added(inputs[0], output, *pair)

            handles.append(linear(model, path).register_forward_hook(hook))
        return handles

    def _added(self, x: torch.Tensor, output: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """`output` [N, T, outputs] and what the adapters make of `x` [N, T, inputs]."""
        index, scaling = self._index, self.shape.scaling
        if index is None:
            return output
        x = x.to(a.dtype)  # PEFT's adapters compute in their own precision, too
        if isinstance(index, int):
            functional = torch.nn.functional
            return (output + functional.linear(functional.linear(x, a[index]), b[index]) * scaling).to(output.dtype)
        count = index.stop - index.start if isinstance(index, slice) else len(index)
        if x.dim() != 3 or len(x) != count:
            raise Unstackable(
                f"a layer reads {tuple(x.shape)} where {count} sequences were given: rows cannot be told apart"
            )
        if isinstance(index, slice):
            chosen_a, chosen_b = a[index], b[index]
        else:
            pick: Callable[..., torch.Tensor] = Rows.apply if self.trained else _selected
            chosen_a, chosen_b = pick(a, index), pick(b, index)
        inner = torch.bmm(x, chosen_a.transpose(1, 2))
        if output.dtype == inner.dtype:
            return torch.baddbmm(output, inner, chosen_b.transpose(1, 2), alpha=scaling)
        return (output + torch.bmm(inner, chosen_b.transpose(1, 2)) * scaling).to(output.dtype)


def detach(handles: list[torch.utils.hooks.RemovableHandle]) -> None:
    """Remove hooks; the list is empty afterwards."""
    while handles:
        handles.pop().remove()


def told_apart(model: Any, shape: Shape) -> bool:
    """Whether `model` gives each row of a batch what the row's own adapter makes of it, seen on two random adapters.

    Raises Unstackable where a layer reads something else than one sequence a row.
    """
    stack = Stack(shape, 2)
    for row in range(2):
        stack.reset(row, row + 1)
        for _, b in stack.pairs:
            b[row].fill_(0.1 + 0.1 * row)
    ids = torch.arange(10, device=model.device).view(2, 5)
    answers = []
    handles = stack.attach(model)
    try:
        with torch.inference_mode():
            for chosen in ([1, 0], 1, 0, 2):
                stack.choose(chosen)
                answers.append(model(input_ids=ids, use_cache=False).logits.float())
    finally:
        detach(handles)
    together, second, first, base = answers
    apart = float((first - second).abs().max())
    off = float((together - torch.stack([second[0], first[1]])).abs().max())
    return off <= 0.02 * apart and float((base - first).abs().max()) > 0  # of which 0.02 is rounding in bfloat16
