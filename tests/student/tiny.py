"""Commands, contexts and a chat template that the tests of this room share."""

from __future__ import annotations

from teachable.student import Context

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
        history=tuple((f"go {way}", "You are in a room.") for way in ("north", "east")[: index % 3]),
        commands=COMMANDS[: 2 + index % 5],
        patch=patch,
    )
