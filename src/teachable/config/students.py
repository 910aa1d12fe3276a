"""The configuration's sections of who learns: the student, how it is warmed up, and how the built-in one is made."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from teachable.config.section import Above0, Fraction, From0, LocalPath, Positive, Section


class WarmStart(Section):
    """LoRA on expert play, merged into the weights: a model that never saw the game becomes partly competent."""

    trajectories: Positive = Field(description="expert episodes per warm-start game; the first is the expert's own")
    noise: Fraction = Field(description="share of random, not losing, commands in the others")
    patched: Fraction = Field(description="share of the examples with a patch, so that it learns to read one")
    learning_rate: Above0 = Field(description="peak learning rate; it falls by a cosine")
    max_steps: Positive = Field(description="optimiser steps; all of them are made")
    checkpoints: Positive = Field(
        description="points of the training, evenly, its end among them, at which the student may be taken: the first "
        "with validation success in the band is"
    )
    batch_size: Positive = Field(description="examples per step")
    rank: Positive = Field(description="rank of the adapter that is merged")
    alpha: Positive = Field(description="its LoRA alpha")
    band_low: Fraction = Field(description="a student with less validation success than this is an error")
    band_high: Fraction = Field(description="a student with more is one, too: it has nothing left to learn")
    validation_games: Positive = Field(description="warm-start games kept for validation")
    validation_episodes: Positive = Field(description="sampled episodes on each of them")

    @model_validator(mode="after")
    def _ordered(self) -> WarmStart:
        if self.band_low > self.band_high:
            raise ValueError("student.warm_start.band_low must not exceed band_high")
        return self


class Student(Section):
    source: Literal["builtin", "hf"] = Field(description="built-in student, or a Hugging Face causal LM")
    path: LocalPath | None = Field(
        description="for hf: local directory, hub name, e.g. Qwen/Qwen3-8B, or a name that fetch-student knows, e.g. "
        "smollm2-135m"
    )
    revision: str | None = Field(description="for hf: commit of the hub repository, so that weights cannot move")
    layout: str | None = Field(
        description="how a decision is written down, a module of student/layouts; null: as the student's file says, "
        "chat where there is none"
    )
    temperature: Above0 = Field(description="policy(a) = softmax(score / temperature)")
    length_normalisation: Literal["none", "mean"] = Field(
        description="score of a command: sum of its tokens' log-likelihoods, or their mean"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(description="where the model runs; auto takes a GPU if there is one")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(description="auto: bfloat16 on a GPU, float32 on a CPU")
    batch_tokens: Positive = Field(description="tokens per forward pass to begin with; halved on out-of-memory")
    prefix_cache_gb: Above0 | None = Field(
        description="memory for what the student keeps of prompts, so that it reads nothing twice; null: 2 GB on a "
        "CPU, half of what the weights leave free on a GPU"
    )
    warm_start: WarmStart | None = Field(
        description="for hf: how the model first learns the manners of the game, from expert play of the warm-start "
        "games, see below; null: it does not"
    )

    @model_validator(mode="after")
    def _path_for_hf(self) -> Student:
        if self.source == "hf" and not self.path:
            raise ValueError("student.path is needed when student.source is hf")
        if self.source == "builtin" and self.warm_start is not None:
            raise ValueError("student.warm_start is of a pretrained student (student.source hf): leave it null")
        return self


class Gap(Section):
    known: Fraction = Field(description="share of needs in which the demonstrator does the right thing")
    otherwise: Literal["habit", "dither"] = Field(
        description="what it does else, wrong and harmless. habit: always the same; dither: anything"
    )


class Builtin(Section):
    hidden: Positive = Field(description="hidden size of the built-in model")
    layers: Positive = Field(description="transformer layers")
    heads: Positive = Field(description="attention heads")
    key_value_heads: Positive = Field(description="key-value heads")
    intermediate: Positive = Field(description="MLP size")
    vocabulary: Positive = Field(description="entries of the byte-level BPE")
    trajectories: Positive = Field(description="trajectories per warm-start game; the first is the expert's own")
    noise: Fraction = Field(description="share of random, not losing, commands in the others")
    gaps: dict[str, Gap] = Field(
        description="skills the demonstrator lacks, each {known: share of needs in which it does the right thing, "
        "otherwise: habit (one wrong, harmless command, always the same) or dither (any)}; the world says which "
        "skills there are; {}: it is the expert"
    )
    own_lights: Fraction = Field(description="share of the trajectories in which the demonstrator's gaps are played")
    learning_rate: Above0 = Field(description="peak learning rate of AdamW, for embeddings and norms")
    matrix_rate: From0 = Field(description="peak learning rate of Muon, for weight matrices; 0: AdamW for all")
    batch_size: Positive = Field(description="examples per step")
    max_steps: Positive = Field(description="optimiser steps; all of them are made")
    band_low: Fraction = Field(description="a student with less validation success than this is an error")
    band_high: Fraction = Field(description="a student with more is one, too: it has nothing left to learn")
    validation_games: Positive = Field(description="warm-start games kept for validation")
    validation_episodes: Positive = Field(description="sampled episodes on each of them")
    threads: Positive = Field(description="CPU threads for training")
