"""lm-eval's `HFLM` on decisions that are given as token ids: log-likelihoods of commands behind prompts.

Its own tokenising is thus not counted, and commands have the same tokens on both sides.
"""

import sys
import warnings

import torch
from answering import serve, timed

warnings.filterwarnings("ignore")
state = {}


def load(directory, batch_size):
    from importlib.metadata import version

    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    state["peer"] = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, backend="causal")
    return {"versions": {name: version(name) for name in ("lm_eval", "torch", "transformers")}}


def score(decisions):
    """`decisions`: [prompt ids, [command ids, ...]] each; their scores, in order, and what they took."""
    pairs = [(("", ""), prompt, command) for prompt, commands in decisions for command in commands]
    found, cpu, wall = timed(lambda: state["peer"]._loglikelihood_tokens(pairs, disable_tqdm=True))
    values = iter(float(value) for value, _ in found)
    return {"scores": [[next(values) for _ in commands] for _, commands in decisions], "cpu": cpu, "wall": wall}


def answer(action, **given):
    return {"load": load, "score": score}[action](**given)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    serve(answer)
