"""LoRA adapters on one base model: by name, loaded from PEFT directories or trained in place.

`AdapterBank` injects PEFT's LoRA layers into the base model once and then adds, resets, switches and
removes adapters; those that were trained side by side it holds in their stack (:mod:`teachable.student.stacks`),
so that the rows of one forward pass may have an adapter each.
:mod:`teachable.student.adapter_files` reads and writes their directories.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict

from teachable.student.errors import AdapterError
from teachable.student.stacks import Shape, Stack, Unstackable, detach, told_apart

log = logging.getLogger(__name__)

_TRIED = "being tried for its shape"
# Families whose fused kernels read the weights of out_proj past any adapter on it, so that PEFT refuses one there.
STATE_SPACE = ("falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h")


def lora_config(rank: int, alpha: int, dropout: float, targets: str | list[str]) -> LoraConfig:
    """PEFT's configuration; `targets` is "all-linear" or a list of module names."""
    return LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=targets,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _signature(config: LoraConfig) -> tuple[object, ...]:
    targets = config.target_modules
    return (
        config.r,
        config.lora_alpha,
        config.lora_dropout,
        targets if isinstance(targets, str) or targets is None else tuple(sorted(targets)),
        config.use_rslora,
        config.use_dora,
    )


class AdapterBank:
    """The adapters of one transformers model. LoRA layers are injected in place: the model stays usable."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._peft: PeftModel | None = None
        self._slots: dict[str, str] = {}  # adapter name -> PEFT's name, which must be a plain identifier
        self._made = 0
        self._signatures: dict[str, tuple[object, ...]] = {}
        self._active: str | None = None
        self._held: dict[str, tuple[Stack, int, LoraConfig]] = {}  # adapters in a stack, without layers of PEFT's
        self._slot_shapes: dict[str, Shape | str] = {}
        self._shapes: dict[tuple[object, ...], tuple[Shape, LoraConfig]] = {}
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._beside: tuple[Stack, dict[str, int]] | None = None  # copies made to stand side by side, while they hold
        self._stackable: bool | None = None  # not yet tried

    def __contains__(self, name: str) -> bool:
        return name in self._slots or name in self._held

    @property
    def names(self) -> list[str]:
        return sorted([*self._slots, *self._held])

    def _known(self, name: str) -> None:
        if name not in self:
            raise AdapterError(f"unknown adapter {name!r}; known are {', '.join(self.names) or 'none'}")

    @property
    def active(self) -> str | None:
        """The adapter that the model answers with; None: the base model."""
        return self._active

    @property
    def _wrapped(self) -> PeftModel:
        if self._peft is None:
            raise AdapterError("this student has no adapter")
        return self._peft

    @property
    def _lora(self) -> Any:
        """PEFT's tuner, which switches layers on and off."""
        return self._wrapped.base_model

    def _parameters(self, name: str) -> list[tuple[str, torch.nn.Parameter]]:
        """The adapter's parameters, sorted by name."""
        mark = f".{self._slots[name]}."
        found = [(key, value) for key, value in self.model.named_parameters() if mark in key and "lora_" in key]
        return sorted(found)

    def create(self, name: str, config: LoraConfig) -> None:
        """Add an adapter called `name`, for `reset` or `fill` to fill; one of the same shape is reused."""
        signature = _signature(config)
        self._beside = None
        if name in self:
            if self._signatures.get(name) == signature:
                return
            self.remove(name)
        detach(self._hooks)
        if self.model.config.model_type in STATE_SPACE and config.target_modules == "all-linear":
            config.exclude_modules = r".*\.out_proj"
        slot = f"slot{self._made}"
        self._made += 1
        with warnings.catch_warnings():
            # PEFT warns of tied embeddings (not a target here) and asks transformers by a name it deprecates
            warnings.filterwarnings("ignore", message=".*(tie_word_embeddings|is_gradient_checkpointing).*")
            if self._peft is None:
                self._peft = PeftModel(self.model, config, adapter_name=slot)
            else:
                self._peft.add_adapter(slot, config)
        self._slots[name] = slot
        self._signatures[name] = signature
        self._active = "?"  # adding may have switched
        self.model.eval()  # PEFT's new dropout would be in force outside training, too
        for _, parameter in self._parameters(name):
            parameter.requires_grad_(False)

    def reset(self, name: str, seed: int) -> None:
        """Fresh weights: A uniform as in `torch.nn.Linear`, B zero (as PEFT does), from `seed` alone."""
        generator = torch.Generator().manual_seed(seed % (1 << 63))
        self._beside = None
        with torch.no_grad():
            for key, parameter in self._parameters(name):
                if "lora_B" in key:
                    parameter.zero_()
                    continue
                bound = 1 / math.sqrt(parameter.shape[-1])  # kaiming_uniform with a = sqrt(5)
                values = torch.rand(parameter.shape, generator=generator) * (2 * bound) - bound
                parameter.copy_(values)

    def fill(self, name: str, state: dict[str, torch.Tensor], where: str) -> None:
        """Weights as `state` returned them; AdapterError unless every weight finds its place."""
        own = self.state(name)
        if missing := sorted(own.keys() - state.keys()):
            raise AdapterError(f"{where} lacks weights for this model, first {missing[0]}")
        if unknown := sorted(state.keys() - own.keys()):
            raise AdapterError(f"{where} has weights that this model has no place for, first {unknown[0]}")
        for key, value in own.items():
            if value.shape != state[key].shape:
                raise AdapterError(
                    f"{where}: {key} has shape {tuple(state[key].shape)}, the model needs {tuple(value.shape)}"
                )
        self._beside = None
        set_peft_model_state_dict(self._wrapped, state, adapter_name=self._slots[name])

    def state(self, name: str) -> dict[str, torch.Tensor]:
        """A copy of the weights on the CPU, under PEFT's names."""
        if name in self._held:
            stack, row, _ = self._held[name]
            return stack.state(row)
        found = get_peft_model_state_dict(self._wrapped, adapter_name=self._slots[name], save_embedding_layers=False)
        return {key: value.detach().to("cpu", copy=True).contiguous() for key, value in found.items()}

    def trainable(self, name: str) -> list[torch.nn.Parameter]:
        """Make the adapter active and only its weights trainable; returns them."""
        self._beside = None
        self.activate(name)
        parameters = [parameter for _, parameter in self._parameters(name)]
        for parameter in parameters:
            parameter.requires_grad_(True)
        return parameters

    def outward(self, name: str) -> list[torch.nn.Parameter]:
        """The adapter's B matrices [outputs, rank], which are zero after `reset`, sorted by name."""
        return [parameter for key, parameter in self._parameters(name) if "lora_B" in key]

    @contextmanager
    def suspended(self, name: str) -> Iterator[None]:
        """The base model in the middle of training the adapter `name`, which is trainable again afterwards."""
        self.activate(None)
        try:
            yield
        finally:
            self.trainable(name)

    def freeze(self, name: str) -> None:
        for _, parameter in self._parameters(name):
            parameter.requires_grad_(False)
            parameter.grad = None

    def activate(self, name: str | None) -> None:
        """Let the model answer with the adapter `name`, or as the base model for None."""
        if name is not None:
            self._known(name)
        if name == self._active:
            return
        detach(self._hooks)
        if self._peft is not None and name in self._slots:
            self._lora.enable_adapter_layers()
            self._peft.set_adapter(self._slots[name], inference_mode=True)
        elif self._peft is not None:
            self._lora.disable_adapter_layers()
        if name in self._held:
            stack, row, _ = self._held[name]
            stack.choose(row)
            self._hooks = stack.attach(self.model)
        self._active = name

    def remove(self, name: str) -> None:
        """Forget an adapter; with the last one the model is as if it never had any."""
        self._known(name)
        if name in self._held:
            if self._active == name:
                self.activate(None)
            del self._held[name]
            return
        self._beside = None
        detach(self._hooks)
        wrapped = self._wrapped
        slot = self._slots.pop(name)
        del self._signatures[name]
        self._active = "?"
        if self._slots:
            self._lora.enable_adapter_layers()
            wrapped.set_adapter(next(iter(self._slots.values())), inference_mode=True)
            wrapped.delete_adapter(slot)
        else:
            wrapped.unload()
            self._peft = None
            self._active = None

    def merged(self, name: str) -> Any:
        """The base model with the adapter `name` added to its weights (PEFT's merge); this bank is empty then, and the
        model it had is that one. AdapterError where a weight would no longer be a number."""
        wrapped = self._wrapped
        try:
            model = wrapped.base_model.merge_and_unload(safe_merge=True, adapter_names=[self._slots[name]])  # type: ignore[operator]
        except ValueError as problem:
            raise AdapterError(f"the adapter {name!r} cannot be merged: {problem}") from problem
        self._peft, self._slots, self._signatures, self._active = None, {}, {}, None
        return model

    def config(self, name: str) -> LoraConfig:
        if name in self._held:
            return self._held[name][2]
        config = self._wrapped.peft_config[self._slots[name]]
        assert isinstance(config, LoraConfig)
        return config

    # -- side by side ----------------------------------------------------------------------------------

    def shape(self, config: LoraConfig) -> tuple[Shape, LoraConfig]:
        """What adapters of this configuration are in this model, as PEFT makes them, and the configuration that PEFT
        made of it. Raises Unstackable where they are more than LoRA on linear layers."""
        signature = _signature(config)
        if signature not in self._shapes:
            self.create(_TRIED, config)
            try:
                made = self.config(_TRIED)
                self._shapes[signature] = Shape.of(self.model, self._slots[_TRIED], made), deepcopy(made)
            finally:
                self.remove(_TRIED)
        found, made = self._shapes[signature]
        return found, deepcopy(made)

    def hold(self, name: str, stack: Stack, row: int, config: LoraConfig) -> None:
        """Keep row `row` of `stack` as the adapter `name`, replacing one."""
        if name in self:
            self.remove(name)
        self._held[name] = stack, row, config

    def waves(self, names: Iterable[str | None], *, apart: bool = False) -> list[list[str | None]]:
        """`names`, the base model's None first, in groups that may share a forward pass (:meth:`rows`).

        Each is alone where adapters differ in shape, where this model's rows cannot be told apart, and with `apart`.
        """
        ordered = sorted(names, key=lambda value: (value is not None, value or ""))
        if apart or len(ordered) < 2 or not self.stackable:
            return [[name] for name in ordered]
        groups: dict[Shape | str, list[str | None]] = {}
        for name in ordered:
            if name is not None:
                self._known(name)
                groups.setdefault(self._shape_of(name), []).append(name)
        if ordered[0] is None:  # it goes with whichever has company to give
            most = max(groups.values(), key=len)
            most.insert(0, None)
        return list(groups.values())

    def _shape_of(self, name: str) -> Shape | str:
        """An adapter's shape, or its name where it has none that another could share."""
        if name in self._held:
            return self._held[name][0].shape
        slot = self._slots[name]
        if slot not in self._slot_shapes:
            try:
                self._slot_shapes[slot] = Shape.of(self.model, slot, self.config(name))
            except Unstackable:
                self._slot_shapes[slot] = name
        return self._slot_shapes[slot]

    @contextmanager
    def rows(self, names: Sequence[str | None]) -> Iterator[None]:
        """Let the next forward passes, each over as many rows, answer with an adapter for each row (None: the base).

        The adapters must be of one shape (:meth:`waves`). For inference only.
        """
        distinct = sorted({name for name in names if name is not None})
        for name in distinct:
            self._known(name)
        stack, places = self._stack_of(distinct)
        self.activate(None)
        stack.choose([stack.count if name is None else places[name] for name in names])
        handles = stack.attach(self.model)
        try:
            yield
        finally:
            detach(handles)
            stack.choose(stack.count)

    def _stack_of(self, names: Sequence[str]) -> tuple[Stack, dict[str, int]]:
        """A stack that holds the adapters `names`, and their rows in it: their own if they share one, else a copy."""
        homes = {id(self._held[name][0]) for name in names if name in self._held}
        if len(homes) == 1 and all(name in self._held for name in names):
            return self._held[names[0]][0], {name: self._held[name][1] for name in names}
        if self._beside is None or not self._beside[1].keys() >= set(names):
            shape = self._shape_of(names[0])
            if isinstance(shape, str) or any(self._shape_of(name) != shape for name in names):
                raise Unstackable(f"these adapters differ in shape: {', '.join(names)}")
            stack = Stack(shape, len(names))
            for row, name in enumerate(names):
                stack.fill(row, self.state(name))
            self._beside = stack, {name: row for row, name in enumerate(names)}
        return self._beside

    @property
    def stackable(self) -> bool:
        """Whether rows of a forward pass can have adapters of their own in this model: tried once, on random ones."""
        if self._stackable is None:
            before = self._active
            try:
                shape, _ = self.shape(lora_config(1, 1, 0.0, "all-linear"))
                self.activate(None)
                self._stackable = told_apart(self.model, shape)
            except Unstackable as problem:
                log.info("adapters are used one after the other: %s", problem)
                self._stackable = False
            self.activate(before if before is not None and before in self else None)
        return self._stackable
