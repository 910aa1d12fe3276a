"""Model and tokenizer from a directory, whole or not at all: what would be noticed late is refused here.

`from_pretrained` fills weights that a checkpoint lacks with random ones, and makes an empty tokenizer where there are
no files of one; both come back as if nothing were amiss.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from teachable.student.errors import StudentError
from teachable.student.files import read_json

log = logging.getLogger(__name__)

ATTENTIONS = ("sdpa", "eager")  # in the order in which they are tried
# Buffers of older checkpoints that hold no weights: transformers computes them.
_COMPUTED = ("rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias")
_PROBES = ("go north", "open the box", "take 2 apples.")


def load_tokenizer(directory: Path) -> Any:
    """The tokenizer in `directory`. Raises StudentError where there is none, or one that knows no words."""
    from transformers import AutoTokenizer

    with _one_sentence(directory):
        tokenizer = AutoTokenizer.from_pretrained(str(directory), trust_remote_code=False)
        encoded = [tuple(tokenizer(text, add_special_tokens=False).input_ids) for text in _PROBES]
    unknown = tokenizer.unk_token_id
    if len(set(encoded)) < len(_PROBES) or any(set(ids) <= {unknown} for ids in encoded):
        raise StudentError(
            f"{directory} has no tokenizer that can write commands: its files (tokenizer.json, or vocab.json and "
            "merges.txt, or tokenizer.model) are missing or empty; fetch the model again"
        )
    return tokenizer


def load_model(directory: Path, device: torch.device, dtype: torch.dtype, attention: str = "auto") -> tuple[Any, str]:
    """The causal language model in `directory`, and the attention implementation that it runs.

    `attention` is sdpa, eager, or auto: sdpa, and eager for a model without it. Only safetensors are read and no code
    of the model's is run. Raises StudentError, in one sentence, for a checkpoint that lacks weights or has some that
    its model has no place for, and for a model in need of its own code; `check_files` refuses the rest before.
    """
    from transformers import AutoModelForCausalLM

    if attention not in ("auto", *ATTENTIONS):
        raise StudentError(f"unknown attention implementation {attention!r}; known are auto, {', '.join(ATTENTIONS)}")

    def load(implementation: str) -> tuple[Any, dict[str, Any]]:
        found: Any = AutoModelForCausalLM.from_pretrained(
            str(directory),
            dtype=dtype,
            attn_implementation=implementation,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told by name below
        )
        model, told = found
        return model, told

    used = ATTENTIONS[0] if attention == "auto" else attention
    with _one_sentence(directory):
        try:
            model, loaded = load(used)
        except (ValueError, ImportError) as problem:
            if attention != "auto" or "scaled_dot_product_attention" not in str(problem):
                raise
            log.warning("%s has no scaled dot-product attention in transformers: it runs eagerly", directory.name)
            used = "eager"
            model, loaded = load(used)
    _check_keys(directory, loaded)
    with _one_sentence(directory):
        return model.to(device), used


def check_files(directory: Path) -> None:
    """Raise StudentError for what the files in a model's directory already tell, before any weight is read."""
    config = read_json(directory / "config.json")
    if (directory / "adapter_config.json").is_file():
        raise StudentError(
            f"{directory} holds an adapter, not a model: merge it into its base model (PEFT's merge_and_unload) and "
            "save that"
        )
    quantised = _quantisation(config)
    if quantised is not None:
        raise StudentError(
            f"the weights in {directory} are quantised ({quantised}), which can be neither trained nor scored exactly "
            "here; use the model in bfloat16 or float32"
        )
    named = config.get("transformers_weights")
    names = [named] if named else ["model.safetensors", "model.safetensors.index.json"]
    weights = next((directory / name for name in names if (directory / name).is_file()), None)
    if weights is None:
        others = sorted(
            path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.gguf") for path in directory.glob(pattern)
        )
        instead = f"only {others[0]}, " if others else ""
        raise StudentError(
            f"{directory} has no weights in safetensors ({instead}neither {' nor '.join(names)}); convert them with "
            "transformers' save_pretrained, or choose a revision that has them"
        )
    if weights.name.endswith(".index.json"):
        shards = read_json(weights).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise StudentError(f"{weights} names no shards; fetch the model again")
        missing = sorted({str(shard) for shard in shards.values() if not (directory / str(shard)).is_file()})
        if missing:
            raise StudentError(f"{directory} lacks {len(missing)} of its shards, first {missing[0]}; fetch it again")
        for shard in sorted({str(shard) for shard in shards.values()}):
            _check_header(directory / shard)
    else:
        _check_header(weights)


def _quantisation(config: dict[str, Any]) -> str | None:
    """How a model is quantised, by its configuration or that of its text part; None if it is not."""
    for part in (config, config.get("text_config")):
        found = part.get("quantization_config") if isinstance(part, dict) else None
        if found:
            method = found.get("quant_method") if isinstance(found, dict) else None
            if method is None and isinstance(found, dict) and (found.get("load_in_4bit") or found.get("load_in_8bit")):
                method = "bitsandbytes"
            return str(method or "quantization_config in config.json")
    return None


def _check_header(path: Path) -> None:
    """Raise StudentError for a safetensors file that is cut off, torn, or an unfetched pointer to one."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            names = list(file.keys())
            kinds = {file.get_slice(name).get_dtype() for name in names}
    except (SafetensorError, OSError) as problem:
        raise StudentError(f"{path} is not a whole safetensors file ({_line(problem)}); fetch it again") from problem
    if integers := sorted(kind for kind in kinds if kind.startswith(("F8", "F4", "I4", "U4"))):
        raise StudentError(
            f"the weights in {path} are quantised ({integers[0]}), which can be neither trained nor scored exactly "
            "here; use the model in bfloat16 or float32"
        )


def _check_keys(directory: Path, loaded: dict[str, Any]) -> None:
    """Raise StudentError unless every weight of the model came from the checkpoint and every one of it was used."""
    if broken := loaded.get("error_msgs"):
        raise StudentError(f"cannot load the student in {directory}: {_line(broken)}")
    if wrong := _names(loaded.get("mismatched_keys")):
        raise StudentError(f"{directory}: {_count(wrong, 'weight')} of another shape than config.json says")
    missing = [name for name in _names(loaded.get("missing_keys")) if not name.endswith(_COMPUTED)]
    unexpected = [name for name in _names(loaded.get("unexpected_keys")) if not name.endswith(_COMPUTED)]
    if any("base_model.model." in name or ".lora_" in name or ".base_layer." in name for name in unexpected):
        raise StudentError(
            f"the weights in {directory} carry PEFT's names ({unexpected[0]}): merge the adapter into its base model "
            "(PEFT's merge_and_unload) and save that"
        )
    if missing:
        raise StudentError(
            f"{directory} lacks {_count(missing, 'weight')} of the model, which would be random; fetch it again"
        )
    if unexpected:
        raise StudentError(
            f"{directory} has {_count(unexpected, 'weight')} that its model has no place for: config.json is of "
            "another model, or the checkpoint holds more than a language model"
        )


def check_vocabulary(directory: Path | str, tokenizer: Any, model: Any) -> None:
    """Raise StudentError for a token (padding, end of turn, any other) without a row in the embedding."""
    rows = int(model.get_input_embeddings().weight.shape[0])
    outside = {token: number for token, number in tokenizer.get_vocab().items() if number >= rows}
    for name in ("pad_token_id", "eos_token_id", "bos_token_id"):
        number = getattr(tokenizer, name, None)
        if isinstance(number, int) and not 0 <= number < rows:
            outside.setdefault(f"{name}", number)
    if outside:
        token, number = min(outside.items(), key=lambda item: (item[1], item[0]))
        raise StudentError(
            f"{directory}: the tokenizer's {token!r} is number {number}, but the model embeds {rows} tokens only "
            f"(0 to {rows - 1}); resize the embedding, or take the tokenizer that belongs to the model"
        )


@contextmanager
def _one_sentence(directory: Path) -> Iterator[None]:
    """What the libraries raise on the way, as a StudentError in one sentence.

    They raise nearly anything for a directory that is damaged (KeyError, AssertionError, RuntimeError, ...).
    """
    try:
        yield
    except (StudentError, torch.cuda.OutOfMemoryError, MemoryError):
        raise
    except Exception as problem:
        text = str(problem)
        if "trust_remote_code" in text or "custom code" in text:
            raise StudentError(
                f"the model in {directory} needs code of its own (auto_map), which is never run; use a model that "
                "transformers knows"
            ) from problem
        raise StudentError(f"cannot load the student in {directory}: {_line(problem)}") from problem


def _line(problem: object) -> str:
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."


def _names(found: Any) -> list[str]:
    return sorted(name if isinstance(name, str) else str(name[0]) for name in found or ())


def _count(names: Iterable[str], what: str) -> str:
    listed = list(names)
    return f"{len(listed)} {what}{'s' if len(listed) > 1 else ''} (first {listed[0]})"


def hush() -> None:
    """No progress bars of transformers: reading one small file needs none, and they litter the logs."""
    from transformers.utils import logging as transformers_logging

    quiet: Any = transformers_logging.disable_progress_bar
    quiet()
