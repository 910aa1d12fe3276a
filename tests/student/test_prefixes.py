"""Key-value states of prompts: what is kept changes no answer, and every token is read once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from teachable.student import Context, Example, LoraSettings, Student, train_lora
from teachable.student.meter import METER, Distinct, Meter
from teachable.student.prefixes import PrefixCache, _token_bytes
from teachable.student.prompt import Transition
from teachable.student.scoring import Request
from teachable.student.trees import build_tree

from .tiny import CHAT_TEMPLATE, COMMANDS, chat_student, context

ROOMS = ("kitchen", "pantry with a long shelf", "garden", "cellar")


def episode(length: int, which: int = 0) -> list[Context]:
    """The decisions of one episode, each behind those before."""
    rng = np.random.default_rng(which)
    found: list[Context] = []
    history: tuple[Transition, ...] = ()
    observation = "You are hungry."
    for _ in range(length):
        commands = tuple(sorted(rng.choice(COMMANDS, size=int(rng.integers(2, 6)), replace=False)))
        scene = f"{ROOMS[int(rng.integers(4))]}\nexits: north"
        now = Context("cook a meal", "", scene, observation, history, commands)
        found.append(now)
        chosen = str(rng.choice(commands))
        after = f"You {chosen}."
        history = (*history, Transition(chosen, after, observation, "", scene, commands))
        observation = after
    return found


@pytest.fixture(scope="module")
def chatting(student_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    special = ("<|im_start|>", "<|im_end|>")
    return chat_student(student_directory, tmp_path_factory.mktemp("chat") / "m", CHAT_TEMPLATE, special)


def load(directory: Path, layout: str, method: str = "radix", **options: object) -> Student:
    return Student.load(directory, device="cpu", layout=layout, method=method, memory=0, **options)  # type: ignore[arg-type]


def ask(student: Student, contexts: list[Context], adapters: list[str | None] | None = None) -> list[np.ndarray]:
    return student.policy([student.prompt(c) for c in contexts], [c.commands for c in contexts], adapters=adapters)


def widest(left: list[np.ndarray], right: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("layout", ["dialogue", "chat"])
@pytest.mark.parametrize("batch_tokens", [1, 400, 100_000])
def test_kept_states_change_no_answer(chatting: Path, layout: str, batch_tokens: int) -> None:
    contexts = [step for which in range(3) for step in episode(6, which)]
    plain = ask(load(chatting, layout, "naive"), contexts)
    student = load(chatting, layout, batch_tokens=batch_tokens)
    order = np.random.default_rng(1).permutation(len(contexts))
    for part in np.array_split(order, 4):  # in waves, in any order: on nodes that later waves split
        found = ask(student, [contexts[i] for i in part])
        assert widest(found, [plain[i] for i in part]) < 1e-4
    assert widest(ask(student, contexts), plain) < 1e-4  # all of them kept by now


def test_one_prompt_with_other_commands_and_one_that_begins_another(chatting: Path) -> None:
    student, plain = load(chatting, "dialogue"), load(chatting, "dialogue", "naive")
    prompt = plain.prompt(episode(3)[-1])
    prompts = [prompt, prompt, prompt + " north", prompt[: len(prompt) // 2]]
    commands = [COMMANDS[:3], COMMANDS[2:], COMMANDS[:2], COMMANDS[:4]]
    expected = plain.policy(prompts, commands)
    assert widest(student.policy(prompts, commands), expected) < 1e-4
    assert widest(student.policy(prompts[::-1], commands[::-1]), expected[::-1]) < 1e-4


@pytest.mark.parametrize("tokens", [1, 300, 700])
def test_what_does_not_fit_is_read_again(chatting: Path, tokens: int) -> None:
    contexts = [step for which in range(4) for step in episode(5, which)]
    plain = ask(load(chatting, "dialogue", "naive"), contexts)
    student = load(chatting, "dialogue")
    budget = tokens * _token_bytes(student.model)
    student._prefixes = cache = PrefixCache(budget)
    for start in (0, 7, 13, 2):
        rows = slice(start, start + 7)
        assert widest(ask(student, contexts[rows]), plain[rows]) < 1e-4
        assert cache.held <= budget
        nodes = [node for root in cache._roots.values() for node in _nodes(root)]
        assert cache.held == sum(node.states.numel() * node.states.element_size() for node in nodes)
    student.forget(everything=True)
    assert cache.held == 0


def _nodes(root: object) -> list[object]:
    found = list(root.children.values())  # type: ignore[attr-defined]
    return [*found, *(below for node in found for below in _nodes(node))]


def test_an_adapter_has_states_of_its_own_and_loses_them_when_trained_again(chatting: Path) -> None:
    student, plain = load(chatting, "dialogue"), load(chatting, "dialogue", "naive")
    contexts = episode(4)
    settings = LoraSettings(rank=2, alpha=4, learning_rate=0.05, max_steps=3, batch_size=2)
    base = ask(student, contexts)
    for command, seed in (("open fridge", 1), ("go east", 2)):
        examples = [Example(student.prompt(one), command) for one in contexts[:2]]
        for one in (student, plain):
            train_lora(one, examples, settings, seed=seed, name="taught")
        expected = ask(plain, contexts, ["taught"] * 4)
        assert widest(expected, base) > 0.05
        assert widest(ask(student, contexts, ["taught"] * 4), expected) < 1e-4
        assert widest(ask(student, contexts), base) < 1e-4


def test_every_token_of_an_episode_is_read_about_once(chatting: Path) -> None:
    """Over steps, over repeats of them, and over what the prompts of one wave share."""
    student = load(chatting, "dialogue")
    before = METER.tokens()
    meter = Meter()
    episodes = [episode(8, which) for which in range(3)]
    for _ in range(2):
        for wave in zip(*episodes, strict=True):
            ask(student, list(wave))
    for steps in episodes:
        meter.asked(_requests(student, steps), None)
    encoded = METER.tokens().encoded - before.encoded
    once = encoded / meter.tokens().fewest
    # read twice are the commands: on their tree both times, and where the next prompt repeats the one that was taken
    again = sum(request.tree.size + 1 for steps in episodes for request in _requests(student, steps))
    assert encoded <= meter.tokens().fewest + again + 8 * sum(map(len, episodes))
    assert once < 1.5
    by_tree = load(chatting, "dialogue", "tree")
    start = METER.tokens().encoded
    for steps in episodes:
        ask(by_tree, steps)
    assert METER.tokens().encoded - start > 2 * encoded


def _requests(student: Student, contexts: list[Context]) -> list[Request]:
    prompts = student.encode_prompts([student.prompt(one) for one in contexts])
    found = []
    for prompt, one in zip(prompts, contexts, strict=True):
        ids = [student.encode_command(command) for command in one.commands]
        found.append(Request(prompt, build_tree(ids), ids))
    return found


def test_the_fewest_tokens_are_those_of_the_tree_of_all_texts(chatting: Path) -> None:
    student = load(chatting, "chat")
    requests = _requests(student, [context(index) for index in range(9)] + episode(5))
    meter = Meter()
    meter.asked(requests[:8], None)
    meter.asked(requests[4:], None)
    texts = [(*r.prompt, *ids[:-1]) for r in requests for ids in r.commands]
    assert meter.tokens().fewest == len({text[: end + 1] for text in texts for end in range(len(text))})
    meter.asked(requests[:2], "an adapter")
    more = {
        text[: end + 1]
        for r in requests[:2]
        for ids in r.commands
        for text in [(*r.prompt, *ids[:-1])]
        for end in range(len(text))
    }
    assert meter.tokens().fewest == len({text[: end + 1] for text in texts for end in range(len(text))}) + len(more)


@pytest.mark.parametrize("number", [0, 900, 50_000])
def test_distinct_hashes_are_counted_in_bounded_memory(number: int) -> None:
    hashes = np.random.default_rng(3).integers(0, 2**64, size=number, dtype=np.uint64)
    counter = Distinct(keep=4096)
    for part in np.array_split(np.concatenate([hashes, hashes]), 13):
        counter.add(part)
    if number <= 4096:
        assert counter.count() == number
    assert counter.count() == pytest.approx(number, rel=0.06)  # four standard errors
    assert len(counter._kept) <= 4096


def test_long_prompts_are_asked_of_a_model_by_radix_and_short_ones_by_tree(
    student_directory: Path, chatting: Path
) -> None:
    assert Student.load(student_directory, device="cpu").method == "tree"
    assert Student.load(chatting, device="cpu", layout="chat").method == "radix"
    assert replace(context(0)).history == ()
