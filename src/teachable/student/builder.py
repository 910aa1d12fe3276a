"""The built-in student: a small Qwen3 with its own tokenizer, cloned from demonstrations.

It exists so that the whole pipeline runs on a CPU in minutes; it shows that the pipeline works, not what a
large model would show. It trains to the end: one that is stopped as soon as it wins often enough is half trained
everywhere, and what it fails at is noise. What it lacks, it lacks because its demonstrator does. A student that
always or never wins has no failures worth teaching, so success on validation games must lie in a band.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from teachable.student.digests import fingerprint
from teachable.student.errors import StudentError
from teachable.student.files import STUDENT_FILE, new_directory, write_json
from teachable.student.layouts.compact import CompactLayout
from teachable.student.loading import hush
from teachable.student.model import Student
from teachable.student.muon import Muon
from teachable.student.prompt import Context, Layout

END, PAD = "<|end|>", "<|pad|>"
BUCKET = 16  # batches whose examples are sorted by length together


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What to do at a decision; a patch, if any, is already in the context."""

    context: Context
    action: str


@dataclass(frozen=True, slots=True)
class StudentSettings:
    """Shape and training of the built-in student."""

    hidden: int = 128
    layers: int = 3
    heads: int = 4
    key_value_heads: int = 2
    intermediate: int = 384
    vocabulary: int = 700  # entries of the byte-level BPE
    learning_rate: float = 3e-3
    matrix_rate: float = 0.02  # Muon's, for the weight matrices; 0: AdamW for these too, about 1.5 times the steps
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.05
    warmup_steps: int = 50
    final_rate: float = 0.05  # the cosine's end, as a share of the peak
    clip: float = 1.0
    batch_size: int = 32  # 16 learnt no faster per CPU-second, and less so with Muon
    prompt_weight: float = 0.2  # of the language-model loss on the prompt; without it learning is far slower
    max_steps: int = 800
    band_low: float = 0.40  # validation success of a student worth teaching is at least this ...
    band_high: float = 0.75  # ... and at most this
    temperature: float = 1.0
    length_normalisation: str = "none"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.hidden % self.heads or self.heads % self.key_value_heads:
            raise StudentError("hidden must be a multiple of heads, and heads of key_value_heads")
        if not 0 <= self.band_low <= self.band_high <= 1:
            raise StudentError(f"need 0 <= band_low <= band_high <= 1, not {self.band_low} and {self.band_high}")
        if self.vocabulary < 300:
            raise StudentError(f"a byte-level vocabulary needs at least 300 entries, not {self.vocabulary}")


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """How a student was built."""

    steps: int
    success: float  # on the validation games
    losses: tuple[float, ...]  # per step: nats per token of the action
    examples: int
    parameters: int
    vocabulary: int
    prompt_tokens_median: float
    prompt_tokens_max: int
    tokens: int  # trained on, padding not counted
    seconds: float
    validation_seconds: float
    fingerprint: str


def frequent_phrases(scenes: Sequence[str], share: float = 0.005) -> list[str]:
    """Names of several words, such as "yellow bell pepper": what often stands alone between punctuation.

    Two to four words that occur in at least `share` of the scenes; sorted.
    """
    counts = Counter(
        segment
        for scene in scenes
        for segment in {part.strip() for part in re.split(r"[^A-Za-z ]+", scene)}
        if 2 <= len(segment.split()) <= 4
    )
    return sorted(segment for segment, count in counts.items() if count >= max(2, share * len(scenes)))


def train_tokenizer(texts: Sequence[str], vocabulary: int, phrases: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """A byte-level BPE of at most `vocabulary` entries. Any text can be written with it.

    Merges stay within words, but for `phrases`, which can become one token each: a small model learns to
    copy and compare names far sooner when a name is one token, and prompts are shorter.
    """
    longest = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    known = "".join(rf" ?{re.escape(phrase)}(?![A-Za-z])|" for phrase in longest)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(known + r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)


def new_model(settings: StudentSettings, vocabulary: int, seed: int) -> Qwen3ForCausalLM:
    """A model of random weights, float32, from `seed` alone."""
    make: Any = Qwen3Config
    config = make(
        vocab_size=vocabulary,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.key_value_heads,
        head_dim=settings.hidden // settings.heads,
        intermediate_size=settings.intermediate,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=None,  # a padding index would freeze that embedding; padding is masked anyway
        attn_implementation="sdpa",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % (1 << 63))
        return Qwen3ForCausalLM(config)


def check_band(success: float, low: float, high: float, who: str, remedies: tuple[str, str]) -> None:
    """Raise StudentError where a student wins less than ``low`` or more than ``high`` of its validation games.

    ``who`` says which and after how much training; ``remedies``: what to do where it wins too little, and too much.
    """
    if not low <= success <= high:
        raise StudentError(
            f"{who} wins {success:.2f} of the validation games, outside of the band {low:.2f} to {high:.2f}: "
            f"{remedies[success > high]}"
        )


def save_student(
    out: Path, model: Any, tokenizer: Any, layout: Layout, *, name: str,
    about: dict[str, Any], temperature: float = 1.0, length_normalisation: str = "none",
) -> str:  # fmt: skip
    """Write a student directory, whole or not at all; returns its fingerprint."""
    hush()
    with new_directory(out) as draft:
        model.save_pretrained(str(draft))
        tokenizer.save_pretrained(str(draft))
        write_json(
            draft / STUDENT_FILE,
            {
                "name": name,
                "layout": layout.name,
                "layout_version": layout.version,
                **({"memo_label": layout.memo_label} if isinstance(layout, CompactLayout) else {}),
                "temperature": temperature,
                "length_normalisation": length_normalisation,
                **about,
            },
        )
        return fingerprint(draft)


def _batches(lengths: np.ndarray, batch_size: int, steps: int, generator: np.random.Generator) -> list[np.ndarray]:
    """`steps` batches of indices; examples of similar length share a batch, batches come in random order."""
    found: list[np.ndarray] = []
    while len(found) < steps:
        order = generator.permutation(len(lengths))
        if len(order) >= batch_size:
            order = order[: len(order) // batch_size * batch_size]
        epoch: list[np.ndarray] = []
        for start in range(0, len(order), batch_size * BUCKET):
            pool = order[start : start + batch_size * BUCKET]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            epoch += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
        found += [epoch[i] for i in generator.permutation(len(epoch))]
    return found[:steps]


class _Trainer:
    """Model, optimiser and data of one build."""

    def __init__(self, student: Student, demonstrations: Sequence[Demonstration], settings: StudentSettings, seed: int):
        self.student, self.settings = student, settings
        self.model = student.model
        self.model.requires_grad_(True)
        prompts = student.encode_prompts([student.prompt(d.context) for d in demonstrations])
        actions = [student.encode_command(d.action) for d in demonstrations]
        self.rows = [np.asarray(p + a, dtype=np.int64) for p, a in zip(prompts, actions, strict=True)]
        self.starts = np.asarray([len(p) for p in prompts])
        lengths = np.asarray([len(row) for row in self.rows])
        self.lengths = lengths
        self.order = _batches(lengths, settings.batch_size, settings.max_steps, np.random.default_rng(seed))
        hidden: list[torch.nn.Parameter] = []
        rest: list[torch.nn.Parameter] = []
        for key, value in self.model.named_parameters():
            (hidden if value.ndim == 2 and ".layers." in key else rest).append(value)
        embedding = [value for value in rest if value.ndim == 2]
        vectors = [value for value in rest if value.ndim != 2]
        adam: list[dict[str, Any]] = [
            {"params": embedding, "weight_decay": settings.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.optimisers: list[tuple[torch.optim.Optimizer, float]] = []  # with their peak learning rates
        if settings.matrix_rate > 0:
            muon = Muon(hidden, momentum=0.95, weight_decay=settings.weight_decay)
            self.optimisers.append((muon, settings.matrix_rate))
        else:
            adam.append({"params": hidden, "weight_decay": settings.weight_decay})
        rate = settings.learning_rate
        self.optimisers.append((torch.optim.AdamW(adam, lr=rate, betas=settings.betas, fused=True), rate))
        self.losses: list[float] = []
        self.step = 0

    def rate(self) -> float:
        """Share of the peak learning rate at the coming step: linear warm-up, then a cosine."""
        settings = self.settings
        if self.step < settings.warmup_steps:
            return (self.step + 1) / settings.warmup_steps
        done = (self.step - settings.warmup_steps) / max(1, settings.max_steps - settings.warmup_steps)
        low = settings.final_rate
        return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def advance(self) -> None:
        """One optimiser step: loss on the action plus a little on the prompt, each a mean over its tokens."""
        chosen = self.order[self.step]
        width = int(self.lengths[chosen].max())
        ids = np.full((len(chosen), width), self.student.pad, dtype=np.int64)
        weights = np.zeros((len(chosen), width - 1), dtype=np.float32)
        for row, index in enumerate(chosen):
            length, start = self.lengths[index], self.starts[index]
            ids[row, :length] = self.rows[index]
            weights[row, : start - 1] = -1.0  # predicts a prompt token
            weights[row, start - 1 : length - 1] = 1.0  # predicts an action token
        tokens = torch.from_numpy(ids)
        marks = torch.from_numpy(weights)
        logits = self.model(input_ids=tokens[:, :-1], use_cache=False).logits
        losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")
        action, prompt = losses[marks > 0].mean(), losses[marks < 0].mean()
        share = self.rate()
        for optimiser, peak in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
            for group in optimiser.param_groups:
                group["lr"] = peak * share
        torch.autograd.backward(action + self.settings.prompt_weight * prompt)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        for optimiser, _ in self.optimisers:
            optimiser.step()
        self.losses.append(float(action.detach()))
        self.step += 1


def build_student(
    demonstrations: Sequence[Demonstration],
    settings: StudentSettings,
    *,
    validate: Callable[[Student], float],
    seed: int,
    out: Path,
    memo_label: str,
    name: str = "builtin",
    gaps: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> BuildRecord:
    """Clone the demonstrations for `max_steps` steps and write the student to `out`.

    `validate(student)` returns the success rate on held-out games, once, at the end. `memo_label` is what prompts call
    the documents read. `gaps`, what the demonstrator lacks, is written into the student's file as it is.
    `progress(step, steps)` after every step.

    Raises StudentError, and writes nothing, if success is outside of the band.
    """
    if not demonstrations:
        raise StudentError("no demonstrations to build a student from")
    begun = time.perf_counter()
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        layout = CompactLayout(memo_label)
        texts = [f"{layout.render(d.context)} {d.action}\n" for d in demonstrations]
        phrases = frequent_phrases([d.context.scene for d in demonstrations])
        tokenizer = train_tokenizer(texts, settings.vocabulary, phrases)
        student = Student(
            new_model(settings, len(tokenizer), seed), tokenizer, layout, name=name, fingerprint="",
            temperature=settings.temperature, length_normalisation=settings.length_normalisation,
        )  # fmt: skip
        trainer = _Trainer(student, demonstrations, settings, seed)
        while trainer.step < settings.max_steps:
            trainer.advance()
            if progress is not None:
                progress(trainer.step, settings.max_steps)
        trainer.model.requires_grad_(False)
        student.forget(everything=True)
        validated = time.perf_counter()
        success = float(validate(student))
        seconds = time.perf_counter() - validated
        check_band(
            success, settings.band_low, settings.band_high, f"the built-in student after {trainer.step} steps",
            ("take more builtin.max_steps or warm-start games, or narrow builtin.gaps",
             "take fewer builtin.max_steps or warm-start games, or widen builtin.gaps"),
        )  # fmt: skip
        tokens = int(sum(trainer.lengths[chosen].sum() for chosen in trainer.order))
        about = {
            "seed": seed,
            "settings": asdict(settings),
            "steps": trainer.step,
            "validation_success": success,
            "examples": len(demonstrations),
            "gaps": dict(gaps or {}),
        }
        digest = save_student(
            out, student.model, tokenizer, layout, name=name, about=json.loads(json.dumps(about)),
            temperature=settings.temperature, length_normalisation=settings.length_normalisation,
        )  # fmt: skip
    finally:
        torch.set_num_threads(threads)
    return BuildRecord(
        steps=trainer.step,
        success=success,
        losses=tuple(trainer.losses),
        examples=len(demonstrations),
        parameters=sum(value.numel() for value in student.model.parameters()),
        vocabulary=len(tokenizer),
        prompt_tokens_median=float(np.median(trainer.starts)),
        prompt_tokens_max=int(trainer.starts.max()),
        tokens=tokens,
        seconds=time.perf_counter() - begun,
        validation_seconds=seconds,
        fingerprint=digest,
    )
