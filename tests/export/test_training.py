"""Training sets as TRL documents them: https://huggingface.co/docs/trl/dataset_formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from student.tiny import CHAT_TEMPLATE, context

from teachable import tables
from teachable.artifacts.catalogue import ARTIFACTS
from teachable.cli import main
from teachable.student.builder import train_tokenizer
from teachable.student.conversation import messages
from teachable.student.errors import StudentError
from teachable.student.layouts.chat import SYSTEM, ChatLayout

from .made import CONFIG, example, put, student

FOLDED = (  # as templates do that refuse the system role
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "<turn>{{ m.role }}\n{{ m.content }}</turn>\n{% endfor %}{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
JOINED = (  # as templates do that write the system message into the user's turn
    "{% set ns = namespace(s='') %}{% for m in messages %}"
    "{% if m.role == 'system' %}{% set ns.s = m.content + '\n\n' %}"
    "{% elif m.role == 'user' %}[INST] {{ ns.s }}{{ m.content }} [/INST]{% else %} {{ m.content }}</s>{% endif %}"
    "{% endfor %}"
)


def exported(kind: str, results: Path, out: Path, *more: str) -> dict[str, list[dict[str, Any]]]:
    assert main(["export", kind, str(results), "-o", str(out), *more]) == 0
    return {
        path.stem: [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
        for path in sorted(out.glob("*.jsonl"))
    }


def layout(template: str | None) -> ChatLayout:
    tokenizer = train_tokenizer(["go north"], 300)
    tokenizer.chat_template = template
    return ChatLayout(tokenizer)


def test_text_for_the_built_in_student(results: Path, tmp_path: Path) -> None:
    files = exported("sft", results, tmp_path / "out")
    assert {name: len(rows) for name, rows in files.items()} == {"B1_uniform": 1, "Q1_demo": 2, "replay": 1}
    row = files["Q1_demo"][0]
    assert row["prompt"].endswith("act:")
    assert row["completion"] == " go north\n"
    assert [one["draw"] for one in files["Q1_demo"]] == [1, 2]
    assert list(exported("sft", results, tmp_path / "one", "--run", "Q1_demo")) == ["Q1_demo"]


@pytest.mark.parametrize("template", [CHAT_TEMPLATE, FOLDED, JOINED])
@pytest.mark.parametrize("patch", ["", "A note. Answer with the command only. Really."])
def test_messages_are_those_that_the_template_was_given(template: str, patch: str) -> None:
    chat = layout(template)
    for index in range(4):
        prompt = chat.render(context(index, patch))
        found = messages("chat", prompt)
        assert found is not None
        assert chat._turn.close(chat._apply(found)) == prompt
        assert found[-1]["content"].endswith(chat.body(context(index, patch)))


def test_a_prompt_without_a_template_is_text() -> None:
    assert messages("chat", layout(None).render(context())) is None
    assert messages("compact", "goal: x\nact:") is None
    with pytest.raises(StudentError, match="not of this version"):
        messages("chat", "<|im_start|>system\nSomething else")


def test_conversations_for_a_chat_model(results: Path, tmp_path: Path) -> None:
    told = {**CONFIG, "student": {"source": "hf", "path": "Qwen/Qwen3-8B", "layout": None}}
    tables.write_json(told, results / ARTIFACTS["config"].path)
    (results / ARTIFACTS["replay"].whole).unlink()
    chat = layout(CHAT_TEMPLATE)
    put(results, "examples", example("Q1_demo", 0, prompt=chat.render(context(1, "A tip."))))
    (row,) = exported("sft", results, tmp_path / "out")["Q1_demo"]
    assert row["prompt"] == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": chat.body(context(1, "A tip."))},
    ]
    assert row["completion"] == [{"role": "assistant", "content": "go north"}]
    assert row["chat_template_kwargs"] == {"enable_thinking": False}
    assert "Qwen/Qwen3-8B" in (tmp_path / "out/README.md").read_text()


def test_preferences_keep_the_sides_apart(results: Path, tmp_path: Path) -> None:
    student(results)
    files = exported("dpo", results, tmp_path / "out")
    assert {name: [row["task_id"] for row in rows] for name, rows in files.items()} == {
        "train": ["game0", "game1"],
        "test": ["game3"],
    }
    row = files["train"][0]
    assert row["prompt"].endswith("act:")
    assert (row["chosen"], row["rejected"]) == (" go north\n", " wait\n")
    assert (row["chosen_value"], row["rejected_value_se"]) == (0.9, 0.5)


def test_cards_name_every_file_and_no_address(results: Path, tmp_path: Path) -> None:
    student(results)
    for kind in ("sft", "dpo"):
        files = exported(kind, results, tmp_path / kind)
        text = (tmp_path / kind / "README.md").read_text()
        front = yaml.safe_load(text.split("---\n")[1])
        assert front["license"] == "apache-2.0"
        assert all(f"{name}.jsonl" in str(front["configs"]) for name in files)
        assert "secret.example" not in text
        assert str(tmp_path) not in text
