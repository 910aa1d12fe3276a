"""What README and docs print: every block of code and every inline command, and what becomes of each in a test."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

# What stands for a name of the reader's own, and what it is here. DEST is a new folder on every page.
PLACEHOLDERS = {
    "[RESULTS]": "results",
    "MODEL": "results/phase4/predictor.safetensors",
    "NEW": "results/phase0/snapshots.parquet",
    "new/snapshots.parquet": "results/phase0/snapshots.parquet",
    "RANKED": "ranked.parquet",
    "KIND": "sft",
    "<kind>": "sft",
    "DEST": "exported-{page}",
    "OWNER/NAME": "somebody/something",
    "VALUES": "values",  # `teachable export values` makes it beforehand
    "FILE": "results/phase1/labeled_snapshots.parquet",
    "TARGET": "phase1",
    "DIR": "results",
    "PAGES": "pages",
    "STAGE": "label",
    "fig_<id>": "fig_h1_1",
    "tab_<id>": "tab_h6_3",
    "other/results": "results",
    "mysite": "slurm",
    ".venv": "scripts",
}
# What is not carried out, and why.
EXCUSES = {
    r"^teachable fetch-student Qwen": "needs a network: 16 GB from the hub",
    r"^teachable fetch-student smollm2": "needs a package index; tests/student/test_catalogue.py fetches it",
    r"^teachable push .*OWNER/NAME \[--public\]": "needs a network; tests/export/test_push.py has a hub of its own",
    r"^pip install ": "needs a registry; that pyproject.toml has the extra is checked",
    r"^uv (sync|venv)": "needs uv and a registry; the job `uv` of the host's CI does it",
    r"^mamba ": "needs conda and a registry",
    r"^podman ": "needs a container daemon",
    r"^exec apptainer": "needs apptainer and an image; the shell parses it",
    r"^python scripts/sample.py": "takes pictures of a run of preset laptop in Chromium",
    r"^snakemake --config$": "the name of an option",
    r"^teachable <stage> ": "a form of all stages; tests/stages runs each",
    r"^--config (preset=\.\.\.|KEY=VALUE)$": "the name of an option",
    r"^(benchmarks|scripts)/\w+\.py$": "the name of a file, which is there",
}
# Scripts that are a page's own and that another test takes from it.
ELSEWHERE = {"docs/library.md": "tests/test_library.py"}
# What programs printed when the page was written, by its first line; the same must be printed now.
OUTPUTS = (
    r"plan: about [\d.]+ core-hours, .+ on \d+ cores, at reference rates",
    r"preset \w+, world textworld, student .+: \d+ jobs to run",
    r"results: preset \w+, \d+ jobs computed, \d+ from the store, \d+ of \d+ without a timing",
    r"Report: .+results/report.html",
)
# Neither a command nor what any program prints: a diagram, the tree of files, formulas, a scene of a game.
TEXTS = (
    r"tasks -> rollouts -> snapshots",
    r"Snakefile +a table of contents",
    r"p_policy = sum_a",
    r"loss = -log sigmoid",
    r"kitchen \| counter: knife",
)

PROGRAMS = ("snakemake", "teachable", "make", "python", "pip", "apt-get", "eval", "export", "uv", "mamba", "podman")
_INLINE = re.compile(
    r"(?<!`)`((?:sudo |[A-Z_]+=\S+ )*"
    r"(?:(?:snakemake|teachable|make|python|pip|apt-get) |(?:benchmarks|scripts)/\w+\.py|--config )[^`]*)`"
)
# Planned only: what takes a cluster, a key, a GPU, a large model, another world or most of an hour.
_PLANNED = re.compile(r"preset=(paper|pilot|laptop)|--profile|(?:expert|judge|world)=|--forcerun|(?<!\w)-F\b")
_RUNS_NOTHING = re.compile(r"(?<!\S)(-n|--dry-run|--rulegraph|--report|--reporter|--unlock)\b")
_CORES = re.compile(r"(?<!\S)(-c|--cores|--profile|--jobs)\b")


@dataclass(frozen=True)
class Block:
    """Code between fences, or indented by four."""

    page: str
    line: int  # of its first line of code
    info: str  # the word behind the fence
    text: str

    @property
    def kind(self) -> str:
        """What it holds: python, yaml, toml, script, output, text or commands."""
        if self.info in ("python", "yaml", "toml"):
            return self.info
        if self.text.startswith("#!"):
            return "script"
        for kind, known in (("output", OUTPUTS), ("text", TEXTS)):
            if any(re.match(pattern, self.text) for pattern in known):
                return kind
        return "commands"


@dataclass(frozen=True)
class Command:
    """One command of a page; ``before`` are the variables that its block has set by then."""

    page: str
    line: int
    text: str
    inline: bool = False
    before: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def program(self) -> str:
        """Its first word, without ``sudo`` and variables set for it alone; a script's interpreter where it has none."""
        words = re.sub(r"^(sudo |[A-Z_]+=\S+ )+", "", self.text).split()
        return "python" if words[0].endswith(".py") else words[0]

    @property
    def excuse(self) -> str | None:
        return next((why for pattern, why in EXCUSES.items() if re.search(pattern, self.text)), None)

    @property
    def filled(self) -> str:
        """With something real for each placeholder, and without what stands in brackets."""
        text = self.text
        for name, value in PLACEHOLDERS.items():
            text = re.sub(as_word(name), value.format(page=Path(self.page).stem), text)
        return re.sub(r" \[--?[^]]*\]", "", text)

    @property
    def lacks_cores(self) -> bool:
        return self.program == "snakemake" and not _RUNS_NOTHING.search(self.text) and not _CORES.search(self.text)

    @property
    def planned(self) -> bool:
        """Whether Snakemake only plans it."""
        runs = self.program == "snakemake" and not _RUNS_NOTHING.search(self.text)
        return runs and (self.inline or bool(_PLANNED.search(self.text)))

    @property
    def changes_nothing(self) -> bool:
        """Whether it may run while others do."""
        return self.inline or self.planned or bool(re.search(r"(?<!\S)(-n|--rulegraph)\b", self.text))

    @property
    def shell(self) -> tuple[str, str]:
        """What is done with it, in words, and the line for bash."""
        line = self.filled
        if self.program == "make":
            return "make -n", re.sub(r"\bmake\b", "make -n", line, count=1)
        if self.program == "apt-get":
            return "apt-get -s", line.removeprefix("sudo ").replace("apt-get", "apt-get -s", 1)
        if self.program == "snakemake":
            done = "planned" if self.planned else "run"
            if self.planned:
                line = re.sub(r"\bsnakemake\b", "snakemake -n", line, count=1)
            if not shutil.which("dot"):  # Graphviz: then what it would draw is looked at no further
                line, count = re.subn(r"\| *(tred|dot)\b[^|>]*", "| cat ", line)
                done += " without Graphviz" if count else ""
            return done, line
        if self.inline and self.program == "python" and "-m" not in line.split():
            script = next(word for word in line.split() if word.endswith(".py"))
            return "--help has its options", f"python {script} --help"
        return "run", line

    @property
    def options(self) -> set[str]:
        """Long options that are given to it."""
        return set(re.findall(r"(?<!\S)--[a-z][a-z-]*", self.filled))


def as_word(name: str) -> str:
    return rf"(?<![\w/-]){re.escape(name)}(?![\w/-])"


def _lines(path: Path) -> Iterator[tuple[int, str, str | None]]:
    """(number, line, the info of the block that it is in); fences themselves are left out."""
    info, before = None, ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if fence := re.match(r" *```(\w*)", line):
            info = fence[1] if info is None else None
        elif info is not None:
            yield number, line, info
        elif line.startswith("    ") and (not before.strip() or before.startswith("    ")):
            yield number, line.removeprefix("    "), "indented"
        else:
            yield number, line, None
        before = line


def _page(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks() -> list[Block]:
    """Every block of code of every page."""
    found: list[Block] = []
    for path in PAGES:
        last = -1
        for number, line, info in _lines(path):
            if info is None:
                continue
            if number == last + 1:
                found[-1] = Block(found[-1].page, found[-1].line, info, f"{found[-1].text}\n{line}")
            else:
                found.append(Block(_page(path), number, info, line))
            last = number
    return found


def commands() -> list[Command]:
    """Every command of every page, those of blocks first, in order."""
    found = [command for block in blocks() if block.kind in ("commands", "script") for command in _of_block(block)]
    for path in PAGES:
        for number, line, info in _lines(path):
            if info is None:
                found += [Command(_page(path), number, text, inline=True) for text in _INLINE.findall(line)]
    return found


def _of_block(block: Block) -> Iterator[Command]:
    waiting, first = "", block.line
    before: list[str] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if not waiting:
            first = number
        waiting = f"{waiting}\n{line}" if waiting else line
        if line.endswith("\\") or not _is_whole(waiting):
            continue
        text, waiting = re.sub(r"\s+# [^\n]*$", "", waiting).strip(), ""
        if text and not text.startswith("#"):
            yield Command(block.page, first, text, before=tuple(before))
            if text.startswith("export "):
                before.append(text)
    if waiting:
        yield Command(block.page, first, waiting, before=tuple(before))


def _is_whole(text: str) -> bool:
    try:
        shlex.split(re.sub(r"\s+# [^\n]*$", "", text))
    except ValueError:
        return False
    return True
