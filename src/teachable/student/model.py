"""`Student`: a causal language model as a policy over admissible commands."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from teachable.student.adapter_files import read_adapter
from teachable.student.adapters import AdapterBank
from teachable.student.devices import choose_device, choose_dtype
from teachable.student.digests import fingerprint as fingerprint_of
from teachable.student.effect import adapter_change
from teachable.student.embedding import embeddings
from teachable.student.encoding import Encoder
from teachable.student.errors import AdapterError, FingerprintMismatch, StudentError
from teachable.student.files import STUDENT_FILE, findable, locate, read_json
from teachable.student.loading import check_files, check_vocabulary, hush, load_model, load_tokenizer
from teachable.student.memory import Answers, Question
from teachable.student.meter import METER
from teachable.student.prefixes import PrefixCache
from teachable.student.prompt import Context, Layout, check_layout, layout_of
from teachable.student.scoring import (
    METHODS,
    RADIX,
    SCORERS,
    Request,
    batches,
    length_switch,
    log_softmax,
    tokens_read,
    tree_is_exact,
)
from teachable.student.trees import TokenTree, build_tree

log = logging.getLogger(__name__)

CPU_BATCH_TOKENS = 2_000  # measured: small batches stay in the cache and win on a CPU
GPU_BATCH_TOKENS = 32_768
CPU_PREFIX_BYTES = 2 << 30
GPU_PREFIX_SHARE = 0.5  # of what the weights leave free
NORMALISATIONS = ("none", "mean")


class Student:
    """A policy over the admissible commands of a state, exact over the whole set.

    `score(a)` is the log-likelihood of the command's tokens and its end-of-action token behind the prompt
    (`length_normalisation: none`), or its mean per token (`mean`); policy(a) = softmax(score / temperature).
    The end-of-action token keeps "take apple" from being a mere beginning of "take apple from counter".

    Answers are remembered per (adapter, prompt, commands); nothing a caller sees depends on that, on the
    grouping into batches or on the order of requests, but for rounding in the last digits.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        layout: Layout,
        *,
        name: str,
        fingerprint: str,
        temperature: float = 1.0,
        length_normalisation: str = "none",
        batch_tokens: int | None = None,
        method: str = "auto",
        memory: int = 200_000,
        attention: str = "sdpa",
        prefix_bytes: int | None = None,
    ) -> None:
        """`attention`: what the model runs.

        `method`: a scorer, or auto: radix where exact, but tree for short prompts (verbosity compact), which it would
        slow down, and prefix_cache for other models. `memory` counts answers; `prefix_bytes` is for radix's states.
        """
        if not temperature > 0:
            raise StudentError(f"temperature must be above 0, not {temperature}; greedy play takes the argmax instead")
        if length_normalisation not in NORMALISATIONS:
            raise StudentError(f"length_normalisation is one of {NORMALISATIONS}, not {length_normalisation!r}")
        if method != "auto" and method not in METHODS:
            raise StudentError(f"unknown scoring method {method!r}; known are auto, {', '.join(METHODS)}")
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.layout_spec = layout
        self.name = self.home = name  # home: where its model is found
        self.fingerprint = fingerprint
        self.temperature = temperature
        self.length_normalisation = length_normalisation
        self.attention = attention
        gpu = model.device.type == "cuda"
        self.batch_tokens = batch_tokens or (GPU_BATCH_TOKENS if gpu else CPU_BATCH_TOKENS)
        exact = tree_is_exact(model.config)
        fastest = RADIX if layout.verbosity == "full" else "tree"
        self.method = method if method != "auto" else (fastest if exact else "prefix_cache")
        if method in (RADIX, "tree") and not exact:
            raise StudentError(
                f"scoring method {method} is not exact for {model.config.model_type} (attention other than full "
                "causal, or an unchecked family); use prefix_cache"
            )
        self.bank = AdapterBank(self.model)
        if prefix_bytes is None:
            prefix_bytes = int(torch.cuda.mem_get_info(model.device)[0] * GPU_PREFIX_SHARE) if gpu else CPU_PREFIX_BYTES
        self._prefixes = PrefixCache(prefix_bytes)
        self._memory = Answers(memory)
        self._trees: dict[tuple[str, ...], tuple[TokenTree, list[list[int]]]] = {}
        self._encoder = Encoder(tokenizer, layout)
        self.pad = self._encoder.pad
        text = model.config.get_text_config()
        self.context_length = int(getattr(text, "max_position_embeddings", 0) or 0) or 1 << 30
        self.length_switch = length_switch(model.config)

    # -- loading ---------------------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        batch_tokens: int | None = None,
        adapters: Mapping[str, Path] | None = None,
        temperature: float | None = None,
        length_normalisation: str | None = None,
        layout: str | None = None,
        method: str = "auto",
        memory: int = 200_000,
        attention: str = "auto",
        prefix_bytes: int | None = None,
        fingerprint: str | None = None,
    ) -> Student:
        """Load a student from a directory, or by the hub name of a model that is already on this machine.

        A directory with `student.json` says its own layout and scoring settings; any other is read as an
        instruction-tuned model, with the chat layout or the one named `layout`. `temperature` and
        `length_normalisation` override what is recorded (1.0 and "none" where nothing is). Only
        safetensors are read and no code of the model's.
        `dtype` auto: bfloat16 on a GPU, float32 on a CPU. `attention` auto: sdpa, and eager for a model without it.
        `fingerprint`: what the model's must be.

        Raises StudentError for a checkpoint that is not whole or not of this model, FingerprintMismatch for another
        model than was asked for.
        """
        directory = locate(path, revision)
        found = fingerprint_of(directory)
        if fingerprint is not None and found != fingerprint:
            raise FingerprintMismatch(directory, fingerprint, found)
        where = choose_device(device)
        record = read_json(directory / STUDENT_FILE) if (directory / STUDENT_FILE).is_file() else {}
        hush()
        check_files(directory)
        tokenizer = load_tokenizer(directory)
        model, used = load_model(directory, where, choose_dtype(dtype, where), attention)
        check_vocabulary(directory, tokenizer, model)
        student = cls(
            model,
            tokenizer,
            layout_of(record, tokenizer, layout),
            name=str(record.get("name", path if not Path(path).is_dir() else Path(path).name)),
            fingerprint=found,
            attention=used,
            temperature=float(record.get("temperature", 1.0)) if temperature is None else temperature,
            length_normalisation=length_normalisation or str(record.get("length_normalisation", "none")),
            batch_tokens=batch_tokens,
            method=method,
            memory=memory,
            prefix_bytes=prefix_bytes,
        )
        student.home = findable(path)
        for name, place in (adapters or {}).items():
            student.add_adapter(name, place)
        return student

    @property
    def layout(self) -> str:
        return self.layout_spec.name

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def adapters(self) -> list[str]:
        return self.bank.names

    def describe(self) -> dict[str, Any]:
        """What a result should record about the student that made it."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "layout": self.layout_spec.name,
            "layout_version": self.layout_spec.version,
            "temperature": self.temperature,
            "length_normalisation": self.length_normalisation,
            "method": self.method,
            "attention": self.attention,
            "device": str(self.device),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "parameters": sum(value.numel() for key, value in self.model.named_parameters() if ".lora_" not in key),
        }

    # -- text to tokens --------------------------------------------------------------------------------

    def prompt(self, context: Context) -> str:
        """What the student reads at this decision."""
        return self.layout_spec.render(context)

    def encode_prompts(self, prompts: Sequence[str]) -> list[list[int]]:
        """Token ids of each prompt."""
        return self._encoder.prompts(prompts)

    def encode_command(self, command: str) -> list[int]:
        """Token ids of a command behind any prompt: tokenised on its own, to be the same behind all."""
        return self._encoder.command(command)

    def _tree(self, commands: tuple[str, ...]) -> tuple[TokenTree, list[list[int]]]:
        found = self._trees.get(commands)
        if found is None:
            if not commands:
                raise StudentError("a policy needs at least one admissible command")
            ids = [self.encode_command(command) for command in commands]
            found = self._trees[commands] = (build_tree(ids), ids)
            if len(self._trees) > 20_000:
                del self._trees[next(iter(self._trees))]
        return found

    # -- answers ---------------------------------------------------------------------------------------

    def policy(
        self,
        prompts: Sequence[str],
        commands: Sequence[Sequence[str]],
        *,
        adapters: Sequence[str | None] | None = None,
    ) -> list[np.ndarray]:
        """Log-probabilities (float64, read-only) over each request's commands, in the order given.

        `prompts[i]` goes with `commands[i]` and, where given, with the adapter `adapters[i]` (None: the base
        model). Raises StudentError for an empty or repeating command list or a prompt beyond the model's
        context, AdapterError for an unknown adapter.
        """
        if len(prompts) != len(commands) or (adapters is not None and len(adapters) != len(prompts)):
            raise StudentError("policy needs as many command lists (and adapters, where given) as prompts")
        names: Sequence[str | None] = adapters if adapters is not None else [None] * len(prompts)
        keys = [(prompt, tuple(listed)) for prompt, listed in zip(prompts, commands, strict=True)]
        open_questions: dict[str | None, dict[Question, None]] = {}
        answers: list[np.ndarray | None] = []
        for name, key in zip(names, keys, strict=True):
            answers.append(self._memory.get(name, key))
            if answers[-1] is None:
                open_questions.setdefault(name, {})[key] = None
        fresh: dict[str | None, dict[Question, np.ndarray]] = {name: {} for name in open_questions}
        for wave in self.bank.waves(open_questions, apart=self.method != "tree" or self.length_switch is not None):
            wanted = [(key, name) for name in wave for key in open_questions[name]]
            found = self._answer([key for key, _ in wanted], [name for _, name in wanted])
            for (key, name), answer in zip(wanted, found, strict=True):
                fresh[name][key] = answer
            for name in wave:
                self._memory.keep(name, fresh[name])
        return [
            answer if answer is not None else fresh[name][key]
            for answer, name, key in zip(answers, names, keys, strict=True)
        ]

    def _answer(self, keys: Sequence[Question], adapters: Sequence[str | None]) -> list[np.ndarray]:
        """The policies of questions, each under its adapter: one, or some that may share a forward pass."""
        encoded = self.encode_prompts([prompt for prompt, _ in keys])
        requests = []
        for ids, (_, listed) in zip(encoded, keys, strict=True):
            tree, command_ids = self._tree(listed)
            requests.append(Request(ids, tree, command_ids))
            if requests[-1].longest >= self.context_length:
                raise StudentError(
                    f"a prompt of {len(ids)} tokens exceeds the {self.context_length} that {self.name} can read"
                )
        mean = self.length_normalisation == "mean"
        found: list[np.ndarray | None] = [None] * len(requests)
        vocabulary = int(self.model.config.get_text_config().vocab_size)
        alone = len(set(adapters)) == 1
        for name in dict.fromkeys(adapters):
            METER.asked([request for request, own in zip(requests, adapters, strict=True) if own == name], name)
        with self.answering(adapters[0] if alone else None):
            whole = [range(len(requests))]  # radix makes forward passes of its own
            for batch in whole if self.method == RADIX else batches(requests, self.batch_tokens, vocabulary):
                chosen = [requests[index] for index in batch]
                names = [adapters[index] for index in batch]
                scores = self.scores(chosen) if alone else self._in_memory(chosen, self.method, names)
                for index, request, values in zip(batch, chosen, scores, strict=True):
                    found[index] = log_softmax(request.tree.scores(values, mean=mean) / self.temperature)
        return [value for value in found if value is not None]

    def scores(self, requests: Sequence[Request], method: str | None = None) -> list[np.ndarray]:
        """Log-probabilities [S] of each request's tree, by `method` (None: the student's own), without remembering.

        Those that the model reads otherwise for their length (LongRoPE) go through plain forward passes.
        """
        used = method or self.method
        switch = self.length_switch
        if switch is None or used == "naive":
            return self._in_memory(requests, used)
        long = [index for index, request in enumerate(requests) if request.longest > switch]
        short = [index for index, request in enumerate(requests) if request.longest <= switch]
        answers: dict[int, np.ndarray] = {}
        for rows, way in ((short, used), (long, "naive")):
            if rows:
                answers |= zip(rows, self._in_memory([requests[index] for index in rows], way), strict=True)
        return [answers[index] for index in range(len(requests))]

    def _in_memory(
        self, requests: Sequence[Request], method: str, adapters: Sequence[str | None] | None = None
    ) -> list[np.ndarray]:
        """In one forward pass (`adapters`: of each row), by radix in those that it needs; in halves, from now on, where
        the GPU runs out of memory."""
        try:
            if method == RADIX:
                return self._prefixes.scores(self.model, requests, self.pad, self.bank.active, self.batch_tokens)
            with self.bank.rows(adapters) if adapters else nullcontext():
                found = SCORERS[method](self.model, requests, self.pad)
            METER.read(tokens_read(method, requests))
            return found
        except torch.cuda.OutOfMemoryError as problem:
            if len(requests) == 1:
                raise StudentError(
                    f"out of GPU memory with a single prompt of {len(requests[0].prompt)} tokens; use a larger GPU"
                ) from problem
            self.batch_tokens = max(1, self.batch_tokens // 2)
            self._prefixes.budget //= 2
            log.warning("out of GPU memory: going on with %d tokens a forward pass", self.batch_tokens)
        if torch.cuda.is_available():  # outside the handler, so that its traceback frees the activations
            torch.cuda.empty_cache()
        half = len(requests) // 2
        return [
            answer
            for part in (slice(half), slice(half, None))
            for answer in self._in_memory(requests[part], method, adapters and adapters[part])
        ]

    @contextmanager
    def answering(self, adapter: str | None) -> Iterator[None]:
        """The model in inference mode with this adapter in force."""
        self.bank.activate(adapter)
        with torch.inference_mode():
            yield

    def embed(self, prompts: Sequence[str], *, adapter: str | None = None) -> np.ndarray:
        """[N, H] float32: the last hidden layer (after the final norm), averaged over a prompt's tokens."""
        return embeddings(self, prompts, adapter)

    # -- memory ----------------------------------------------------------------------------------------

    def forget(self, adapter: str | None = None, *, everything: bool = False) -> None:
        """Drop the remembered answers of one adapter (None: of the base model), or all of them."""
        self._prefixes.forget(adapter, everything=everything)
        self._memory.forget(adapter, everything=everything)

    # -- adapters --------------------------------------------------------------------------------------

    def add_adapter(self, name: str, path: Path | str) -> None:
        """Load the adapter directory `path` under `name`, replacing one of that name.

        Raises LayoutMismatch if it was trained for another prompt layout, and AdapterError if it was trained
        on another base model, does not fit, or leaves the model's answers as they were.
        """
        place = Path(path)
        config, state, record = read_adapter(place)
        check_layout(str(place), record.get("layout"), record.get("layout_version"), self.layout_spec)
        if record.get("base") != self.fingerprint:
            raise AdapterError(
                f"{place} was trained on another base model ({str(record.get('base'))[:12]}..., this "
                f"student is {self.fingerprint[:12]}...); train it again on this one"
            )
        if name in self.bank:
            self.remove_adapter(name)
        self.bank.create(name, config)
        try:
            self.bank.fill(name, state, str(place))
            self.check_adapter(name)
        except AdapterError:
            self.remove_adapter(name)
            raise

    def check_adapter(self, name: str) -> float:
        """The largest change of a logit that the adapter makes on a probe; AdapterError if it makes none."""
        self.forget(name)
        return adapter_change(self, name)

    def remove_adapter(self, name: str) -> None:
        """Forget an adapter and what was remembered of it."""
        self.bank.remove(name)
        self.forget(name)
