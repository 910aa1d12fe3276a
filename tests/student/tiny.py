"""Commands, contexts and a chat template that the tests of this room share."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from teachable.student import Context
from teachable.student.prompt import Transition

COMMANDS = (
    "cook red apple with stove",
    "go east",
    "go north",
    "open fridge",
    "take red apple",
    "take red apple from counter",
)
CHAT_TEMPLATE = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and not enable_thinking %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif -%}"
)


def context(index: int = 0, patch: str = "") -> Context:
    rooms = ("kitchen", "pantry with a long shelf", "garden")
    return Context(
        goal="You are hungry! Let's cook a delicious meal. Check the cookbook for the recipe.",
        memo="" if index % 2 else "red apple: dice, fry",
        scene=f"{rooms[index % 3]}\nfridge (closed), {'stove, ' * (index % 4)}red apple\nexits: north",
        observation="You open the fridge.",
        history=tuple(
            Transition(
                f"go {way}",
                "You are in a room.",
                before="You look around.",
                scene=f"{rooms[(index + 1) % 3]}\nexits: {way}",
                commands=(f"go {way}", *COMMANDS[3:]),
            )
            for way in ("north", "east")[: index % 3]
        ),
        commands=COMMANDS[: 2 + index % 5],
        patch=patch,
    )


def chat_student(source: Path, out: Path, template: str | None = None, special: tuple[str, ...] = ()) -> Path:
    """A copy of the student in ``source`` that a pretrained one may look like: no student.json, and with a chat
    template and further special tokens if given. The last of its tokens are those."""
    shutil.copytree(source, out)
    (out / "student.json").unlink()
    if template is not None:
        (out / "chat_template.jinja").write_text(template)
    path = out / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    for token in special:  # in the place of a word, so that the embedding still fits
        last = max(vocabulary, key=vocabulary.__getitem__)
        number = vocabulary.pop(last)
        tokenizer["model"]["merges"] = [
            pair for pair in tokenizer["model"]["merges"] if "".join(pair) != last and last not in pair
        ]
        entry = {"id": number, "content": token, "special": True}
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        tokenizer["added_tokens"].append({**entry, **flags})
        vocabulary[token] = number
        vocabulary = {key: vocabulary[key] for key in sorted(vocabulary, key=vocabulary.__getitem__) if key != token}
        tokenizer["model"]["vocab"] = vocabulary
    path.write_text(json.dumps(tokenizer))
    return out
