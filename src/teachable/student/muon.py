"""Muon: momentum whose update is orthogonalised, for the weight matrices of small transformers.

The momentum of a matrix is replaced by (nearly) the closest orthogonal matrix, so that every direction
learns at the same rate, not only the few that dominate the gradient (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon). `torch.optim.Muon` works in bfloat16 and matrix by matrix, which
is slow on a CPU; this one works in float32 on stacks of equally shaped matrices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

# Newton-Schulz polynomial, steep at zero and near one at one; five rounds leave singular values in 0.7-1.2.
A, B, C = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def orthogonalise(matrices: torch.Tensor) -> torch.Tensor:
    """[N, R, C] with R <= C: each matrix with its singular values moved to about one."""
    found = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        gram = found @ found.mT
        found = A * found + (B * gram + C * (gram @ gram)) @ found
    return found


class Muon(torch.optim.Optimizer):
    """For parameters with two dimensions; use AdamW for embeddings, norms and biases.

    `lr` is the size of an update relative to an orthogonal matrix, times sqrt(rows / columns) for tall
    matrices; 0.02 suits small models. Weight decay is decoupled, as in AdamW.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[torch.nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(tuple(parameter.shape), []).append(parameter)
            for shape, parameters in shapes.items():
                self._update(shape, parameters, group)

    def _update(self, shape: tuple[int, ...], parameters: Sequence[torch.nn.Parameter], group: dict[str, Any]) -> None:
        updates = []
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            momentum: torch.Tensor = state["momentum"]
            momentum.lerp_(parameter.grad, 1 - group["momentum"])  # type: ignore[arg-type]
            updates.append(parameter.grad.lerp(momentum, group["momentum"]))  # type: ignore[union-attr]  # Nesterov
        stacked = torch.stack(updates)
        rows, columns = shape
        found = orthogonalise(stacked.mT).mT if rows > columns else orthogonalise(stacked)
        rate = group["lr"] * max(1.0, rows / columns) ** 0.5
        for parameter, update in zip(parameters, found, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)
