"""Where a command stands in a conversation, by templates written like those of known families."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from teachable.student import Student, StudentError
from teachable.student.encoding import Encoder
from teachable.student.layouts import chat
from teachable.student.layouts.chat import ChatLayout
from teachable.student.turns import open_tag

from .tiny import CHAT_TEMPLATE, chat_student, context


def template(before: str, after: str, generation: str, header: str = "") -> str:
    """User messages as they are, assistants' between ``before`` and ``after``."""
    return (
        f"{header}{{%- for m in messages %}}{{%- if m.role == 'assistant' %}}"
        f"{{{{ {before!r} + m.content + {after!r} }}}}"
        f"{{%- else %}}{{{{ '<' + m.role + '>' + m.content + '</>' }}}}{{%- endif %}}{{%- endfor %}}"
        f"{{%- if add_generation_prompt %}}{{{{ {generation!r} }}}}{{%- endif %}}"
    )


@pytest.fixture
def tokenizer(student_directory: Path) -> Any:
    found: Any = AutoTokenizer.from_pretrained(str(student_directory))
    return found


def layout(tokenizer: PreTrainedTokenizerFast, text: str) -> ChatLayout:
    tokenizer.chat_template = text
    return ChatLayout(tokenizer)


def test_a_turn_ends_as_the_template_ends_it(student_directory: Path, tmp_path: Path) -> None:
    gemma = template("<a>", "<end_of_turn>\n", "<a>")
    place = chat_student(student_directory, tmp_path / "gemma", gemma, special=("<end_of_turn>",))
    student = Student.load(place, device="cpu")
    end = student.tokenizer.convert_tokens_to_ids("<end_of_turn>")
    assert end not in (None, student.tokenizer.unk_token_id, student.tokenizer.eos_token_id)
    assert student.encode_command("go north")[-1] == end
    assert student.encode_command("go north").count(end) == 1
    assert student.tokenizer.eos_token_id not in student.encode_command("go north")


def test_a_template_that_ends_nothing_leaves_it_to_the_end_of_text(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = Encoder(tokenizer, layout(tokenizer, template("<a>", "", "<a>")))
    assert encoder.end == [tokenizer.eos_token_id]
    tokenizer.eos_token = None
    with pytest.raises(StudentError, match="no command would ever end"):
        Encoder(tokenizer, layout(tokenizer, template("<a>", "", "<a>")))


@pytest.mark.parametrize(
    ("before", "generation", "ends", "prefix"),
    [
        ("<a>", "<a>", "<a>", ""),
        ("[/INST] ", "[/INST]", "[/INST]", " "),  # Llama 2: a blank before the answer
        ("ASSISTANT: ", "ASSISTANT: ", "ASSISTANT:", " "),  # Vicuna: the blank belongs to the word behind it
        ("<a>final<message>", "<a>", "<a>final<message>", ""),  # harmony: the channel of answers
        ("<a>\n", "", "<a>\n", ""),  # a template without a generation prompt
        ("<a>", "<a><think>\n", "<a><think>\n\n</think>\n\n", ""),  # R1
        ("<a>", "<a><think>", "<a><think>\n\n</think>\n\n", ""),
        ("<a>", "<a><think>\n\n</think>\n\n", "<a><think>\n\n</think>\n\n", ""),  # Qwen3, thinking switched off
        ("<a></think>", "<a></think>", "<a></think>", ""),  # DeepSeek V3.1, likewise
        ("<a>", "<a><seed:think>", "<a><seed:think>\n\n</seed:think>\n\n", ""),
        ("<a>", "<a>[THINK]", "<a>[THINK]\n\n[/THINK]\n\n", ""),
        ("<a>", "<a><|begin_of_thought|>\n", "<a><|begin_of_thought|>\n\n<|end_of_thought|>\n\n", ""),
        ("<a>", "<a><|START_THINKING|>", "<a><|START_THINKING|>\n\n<|END_THINKING|>\n\n", ""),
        ("<a>", "<a><reasoning>\n", "<a><reasoning>\n\n</reasoning>\n\n", ""),
    ],
)
def test_a_command_stands_where_the_template_puts_an_answer(
    tokenizer: PreTrainedTokenizerFast, before: str, generation: str, ends: str, prefix: str
) -> None:
    made = layout(tokenizer, template(before, "</s>", generation))
    prompt = made.render(context(2))
    assert prompt.endswith(f"with the command only.</>{ends}")
    assert made.command_prefix == prefix
    assert open_tag(prompt) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (template("<a>", "</s>", "<a><think>\nOkay, "), "begins a thought behind <think>"),
        (template("<a>final:", "</s>", "<a>analysis:"), "behind which no command stands"),
        ("{%- for m in messages %}{{ m.role }}{%- endfor %}", "does not write messages as they are given"),
        ("{{ raise_exception('tools only') }}", "cannot write a conversation: tools only"),
        (template("<a>", "</s>", "<a>", header="{{ [1, 2, 3, 4, 5, 6, 7] | random }}"), "twice the same"),
    ],
)
def test_a_template_without_a_place_for_a_command_is_refused(
    tokenizer: PreTrainedTokenizerFast, text: str, reason: str
) -> None:
    with pytest.raises(StudentError, match=reason):
        layout(tokenizer, text)


def test_what_a_game_says_of_thinking_opens_nothing(tokenizer: PreTrainedTokenizerFast) -> None:
    made = layout(tokenizer, template("<a>", "</s>", "<a>"))
    assert made.render(context(0, patch="say <think> twice")).endswith("</><a>")


@pytest.mark.parametrize("form", ["%d %b %Y", "%Y-%m-%d", "%A, %-d %B %Y", "%c", "%H:%M on %x"])
def test_the_date_is_pinned(tokenizer: PreTrainedTokenizerFast, form: str) -> None:
    made = layout(tokenizer, template("<a>", "</s>", "<a>", header=f"\n {{{{ strftime_now({form!r}) }}}}|"))
    prompt = made.render(context(0))
    assert prompt.startswith(f"\n {chat.TODAY.strftime(form)}|")
    assert datetime.now().strftime(form) not in prompt.partition("|")[0]


def test_no_blank_stands_before_a_command_that_sentencepiece_made(tokenizer: PreTrainedTokenizerFast) -> None:
    words = ["<unk>", "</s>", "▁", "▁go", "go", "▁north", "▁take", "take", "▁apple", "▁42", "42", "\n", "x", "▁x"]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    made.normalizer = normalizers.Prepend("▁")  # as SentencePiece does
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Metaspace(prepend_scheme="never")]
    )
    wrapped: Any = PreTrainedTokenizerFast
    spiece = wrapped(tokenizer_object=made, eos_token="</s>", unk_token="<unk>")
    encoder = Encoder(spiece, layout(spiece, template("<a>", "</s>", "<a>")))
    assert spiece.convert_ids_to_tokens(spiece("go north").input_ids) == ["▁go", "▁north"]
    assert spiece.convert_ids_to_tokens(encoder.command("go north")) == ["go", "▁north", "</s>"]
    encoder = Encoder(spiece, layout(spiece, template("<a> ", "</s>", "<a>")))
    assert spiece.convert_ids_to_tokens(encoder.command("go north")) == ["▁go", "▁north", "</s>"]


def test_a_token_that_the_tokenizer_puts_behind_texts_does_not_end_the_prompt(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    from tokenizers import processors

    end = tokenizer.eos_token
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{end} $A {end}", special_tokens=[(end, tokenizer.eos_token_id)]
    )
    assert tokenizer("go").input_ids[-1] == tokenizer.eos_token_id
    prompt = Encoder(tokenizer, ChatLayout(tokenizer)).prompts(["Command:"])[0]
    assert prompt == [tokenizer.eos_token_id, *tokenizer("Command:", add_special_tokens=False).input_ids]


def test_a_template_of_known_form_is_kept(tokenizer: PreTrainedTokenizerFast) -> None:
    made = layout(tokenizer, CHAT_TEMPLATE)
    assert made.end == "<|im_end|>\n"
    assert made.command_prefix == ""
    assert made.render(context(0)).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
