"""TRL's `SFTTrainer` on examples that are given as token ids, from a LoRA adapter that is given, in the order given.

Only `train()` is timed: not its tokenising, nor the making of the trainer.
"""

import sys
import tempfile
import warnings

import torch
from answering import serve, timed

warnings.filterwarnings("ignore")
state = {}


def load(directory):
    from importlib.metadata import version

    from transformers import AutoTokenizer

    state["directory"] = directory
    state["tokenizer"] = AutoTokenizer.from_pretrained(directory)
    return {"versions": {name: version(name) for name in ("trl", "peft", "torch", "transformers")}}


def train(adapter, rows, batch_size, learning_rate, clip, steps):
    """`rows`: token ids and the first one of the completion, of every example in the order they are trained on."""
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, PrinterCallback
    from trl import SFTConfig, SFTTrainer

    model = AutoModelForCausalLM.from_pretrained(state["directory"], dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter, is_trainable=True)
    data = Dataset.from_dict(
        {
            "input_ids": [ids for ids, _ in rows],
            "completion_mask": [[int(at >= start) for at in range(len(ids))] for ids, start in rows],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=batch_size,
            max_steps=steps,
            learning_rate=learning_rate,
            lr_scheduler_type="constant",
            warmup_steps=0,
            weight_decay=0.0,
            max_grad_norm=clip,
            completion_only_loss=True,
            max_length=None,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            train_sampling_strategy="sequential",
            logging_steps=10,  # its default; each entry is the mean of ten losses
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = SFTTrainer(model=model, args=settings, train_dataset=data, processing_class=state["tokenizer"])
        trainer.remove_callback(PrinterCallback)
        _, cpu, wall = timed(trainer.train)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {"losses": losses, "cpu": cpu, "wall": wall}


def answer(action, **given):
    return {"load": load, "train": train}[action](**given)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    serve(answer)
