"""A whole study, small enough to be made for a test: every stage has a command line that works, and its inputs.

The world is the toy of :mod:`toy`, the student a tiny one, and what makes every file is the stage's own command line,
run in this process.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl
from configured import RAW
from teacher.conftest import Reply, completion
from toy import bring

from teachable import cli, tables
from teachable.artifacts.catalogue import ARTIFACTS, RESULTS
from teachable.config import Config
from teachable.paper import CRITERIA_INPUTS, FIGURES, MINIMUM
from teachable.paper import TABLES as ITEMS
from teachable.paper.typeset import headings
from teachable.stages import STAGES
from teachable.terms import BASE, REPLAY_ONLY, selection_name
from teachable.workflow.configuration import configuration, making_options
from teachable.workflow.lines import Line, Paths, inputs_of, operational_parameters, outputs_of, parameters
from teachable.worlds import registry

LONGEST = 600  # seconds that a case may take: more is a hang
SMALL = {
    "world": {"name": "corridor"},
    "tasks": {"warmstart": {"easy": 6}, "train": {"easy": 10}, "test": {"easy": 3}},
    "builtin": {"gaps": {}, "max_steps": 40, "validation_games": 2},
    "snapshots": {"max_snapshots": 24, "max_expert_snapshots": 4},
    "estimation": {"tree_prompts": 4, "tree_episodes": 4},
    "training": {"epochs": 1, "seeds": 1, "max_examples": 4},
    "evaluation": {"test_repeats": 1, "drift_episodes": 2},
    "predictor": {"trees": 4},
    "statistics": {"repetitions": 50},
    "microtraining": {"tree_prompts": 2, "tree_episodes": 2},
    "selection": {"methods": ["random", "predictor_diverse"], "epochs": 1},
}
DATA = {
    name: f"{RESULTS}/{artifact.whole}"
    for name, artifact in ARTIFACTS.items()
    if artifact.path and artifact.kind != "path"
}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
# Runs that the small study trains: enough that every summary has something to compare.
RUNS = ("Q1_demo", "Q4_demo", "B1_uniform", REPLAY_ONLY)


@dataclass(frozen=True)
class Ended:
    """How a command line ended: its exit status and what it said."""

    status: int
    said: str

    @property
    def sentence(self) -> str:
        """The one sentence of a refusal. AssertionError where what was said is anything else."""
        assert self.status == 1, f"exit status {self.status}\n{self.said[-3000:]}"
        head, mark, sentence = self.said.rpartition("teachable: ")
        assert mark, f"nothing is said\n{self.said[-3000:]}"
        assert not head or head.endswith("\n"), self.said[-3000:]
        assert sentence.strip(), "the sentence is empty"
        assert "\n" not in sentence.strip("\n"), f"more than one line:\n{sentence}"
        assert "Traceback" not in self.said, self.said[-3000:]
        return sentence.strip()


class Hung(BaseException):
    """A command line took longer than :data:`LONGEST`; no ``except Exception`` may swallow it."""


@contextlib.contextmanager
def bounded(seconds: float = LONGEST) -> Iterator[None]:
    """Raise :class:`Hung` in the main thread after ``seconds``."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hung(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(argv: Sequence[str]) -> Ended:
    """A command line as a user gives it, in this process. What would be a traceback is raised."""
    out = io.StringIO()
    with bounded(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            status = cli.main(argv)
        except SystemExit as left:  # argparse
            status = left.code if isinstance(left.code, int) else 1
    return Ended(status, out.getvalue())


@dataclass(frozen=True)
class Case:
    """A stage's command line that works: what it reads and what it makes."""

    line: Line
    tables: Mapping[str, tables.Table] = field(default_factory=dict)  # input -> schema, of the inputs that are tables

    @property
    def stage(self) -> str:
        return self.line.stage

    @property
    def argv(self) -> list[str]:
        return shlex.split(str(self.line))

    def run(self) -> None:
        """Make its outputs. AssertionError where that fails."""
        ended = run(self.argv)
        assert ended.status == 0, f"{self.argv}\n{ended.said}"

    def made(self) -> dict[str, bytes]:
        """The bytes of every output file."""
        found = {}
        for place in map(Path, self.line.outputs.values()):
            for path in sorted(place.rglob("*")) if place.is_dir() else [place] if place.exists() else []:
                if path.is_file():
                    found[f"{place.name}/{path.relative_to(place)}"] = path.read_bytes()
        return found

    def elsewhere(self, directory: Path, changed: Mapping[str, str] = {}) -> Case:
        """The same with outputs in ``directory`` and the first path of some inputs changed."""
        outputs = {name: str(directory / name / Path(path).name) for name, path in self.line.outputs.items()}
        inputs: dict[str, Paths] = dict(self.line.inputs)
        for name, path in changed.items():
            inputs[name] = path if isinstance(inputs[name], str) else [path, *inputs[name][1:]]
        return replace(self, line=replace(self.line, inputs=inputs, outputs=outputs))

    def first(self, name: str) -> Path:
        paths = self.line.inputs[name]
        return Path(paths if isinstance(paths, str) else paths[0])


@dataclass(frozen=True)
class Study:
    root: Path
    config: Config
    cases: Mapping[str, Case]  # by stage; by "figure h1_1" and so on for those of the paper


def verdict(request: dict[str, Any]) -> Reply:
    """What a judge says to either question."""
    whole = "DECISION 1" in request["messages"][1]["content"]
    return Reply(completion({**({"decision": 1} if whole else {"right": True}), "comment": "It waits."}))


def make_study(root: Path, judge: str) -> Study:
    """Make the study in ``root``, which becomes the working directory; ``judge`` is an endpoint's URL. AssertionError
    where a stage fails."""
    sys.path.insert(0, str(bring(root / "site")))
    registry._places.cache_clear()
    os.chdir(root)
    config, _ = configuration({**RAW, "override": SMALL}, preset="smoke")
    maker = _Maker(config, judge)
    maker.everything()
    return Study(root, config, maker.cases)


class _Maker:
    def __init__(self, config: Config, judge: str) -> None:
        self.config = config
        self.judge = judge
        self.cases: dict[str, Case] = {}
        self.operational = operational_parameters(config)
        games = {split: f"{RESULTS}/world/{split}/games/000" for split in ("warmstart", "train", "test")}
        self.games = games
        self.tasks = {split: f"{RESULTS}/world/{split}/tasks/000.parquet" for split in games}
        self.paths: dict[str, Paths] = {
            "tasks": self.tasks["train"],
            "games": [games["train"]],
            "test_tasks": self.tasks["test"],
            "test_games": [games["test"]],
            "student": f"{RESULTS}/student",
        }

    def make(
        self,
        stage: str,
        *,
        name: str = "",
        filled: Mapping[str, str] = {},
        own: Mapping[str, object] = {},
        **inputs: Paths,
    ) -> None:
        """Run the line of a stage and keep it. ``filled``: wildcards of its outputs; ``own``: the rule's parameters."""
        outputs = {key: path.format(**{"shard": "000", **filled}) for key, path in outputs_of(stage).items()}
        self.line(
            Line(stage, inputs_of(stage, self.paths, **inputs), outputs, parameters(self.config, stage, **own)), name
        )

    def line(self, line: Line, name: str = "", *, now: bool = True) -> None:
        stage, line = STAGES[line.stage], replace(line, operational=self.operational.get(line.stage, ""))
        reads = {key: ARTIFACTS[key] for key in line.inputs} if "*" in stage.inputs else stage.reads
        schemas = {
            key: getattr(tables, reads[key].schema)
            for key in line.inputs
            if key in reads and reads[key].kind == "table"
        }
        if line.stage == "concat":
            schemas = {"shards": tables.STEPS}
        case = Case(line, schemas)
        if now:
            case.run()
        self.cases[name or line.stage] = case

    def whole(self, *names: str) -> None:
        """Put the parts of results together, as the rules do."""
        for name in names:
            artifact = ARTIFACTS[name]
            part = f"{RESULTS}/{artifact.path.replace('{shard}', '000')}"
            shutil.copyfile(part, f"{RESULTS}/{artifact.whole}")

    def everything(self) -> None:
        config, shard = self.config, {"shard": 0, "shards": 1}
        self.make("resolve-config", own={"config": config.model_dump(mode="json")})
        for split in self.games:
            items = [("easy", number) for number in range(getattr(config.tasks, split)["easy"])]
            options = making_options(config, split)
            self.make("make-tasks", filled={"split": split}, own={"options": options, "split": split, "items": items})
        self.make("check-splits", tasks=list(self.tasks.values()))
        warm: dict[str, Paths] = {"tasks": self.tasks["warmstart"], "games": self.games["warmstart"]}
        self.make("demonstrate", **warm)
        self.make("build-student", demonstrations=f"{RESULTS}/world/warmstart/demonstrations/000.parquet", **warm)
        self.make("link-student", weights=f"{RESULTS}/world/builtin_student")
        playing = config.expert.model_copy(
            update={"source": "checkpoint", "path": f"{RESULTS}/world/builtin_student", "layout": "compact"}
        )
        by_checkpoint = config.model_copy(update={"expert": playing})
        self.line(Line("link-expert", {}, outputs_of("link-expert"), parameters(by_checkpoint, "link-expert")))
        self.make("rollout", games=self.games["train"])
        parts = {name: f"{RESULTS}/phase0/{name}/000.parquet" for name in ("steps", "episodes")}
        self.make("episode-values", games=self.games["train"], **parts)
        self.line(Line("concat", {"shards": [parts["steps"]]}, {"table": DATA["steps"]}, '{"schema_name": "STEPS"}'))
        self.whole("episodes", "episode_values")
        self.make("retention-panel")
        by_fall = config.model_copy(update={"snapshots": config.snapshots.model_copy(update={"mode": "fall"})})
        for settings, values in ((by_fall, {"values": DATA["episode_values"]}), (config, {})):
            inputs: dict[str, Paths] = {"steps": DATA["steps"], "episodes": DATA["episodes"], **values}
            line = Line("snapshots", inputs, outputs_of("snapshots"), parameters(settings, "snapshots"))
            self.line(line, "snapshots by fall" if values else "")
        self.make("restore-check")
        self.make("advise", own={"student_layout": "compact", **shard})
        self.whole("advice")
        self.make("action-values", own=shard)
        self.whole("estimates", "action_values", "label_episodes", "tree_nodes")
        self.make("uncertainty")
        for prefix in ("leverage", "patch"):
            self.make(f"{prefix}-values", own=shard)
            self.whole(*(f"{prefix}_{kind}" for kind in ("estimates", "episodes", "nodes")))
        self.make("leverage")
        self.make("patch-test")
        self.make("label")
        self.make("features")
        self.judged()
        self.make("label-metrics")
        self.make("setups")
        self.make("panels")
        self.make("validation-panel")
        self.make("skills", own={"gaps": {}})
        self.make("quadrant-shares", own={"planted": ["go"]})
        self.make("continuations")
        self.make("microtrain", own=shard)
        self.whole("microtraining", "micro_episodes")
        self.make("predict")
        self.make("replay-examples")
        self.make("cpt-correlation")
        self.make("examples")
        self.make("recovery-examples")
        self.make("recovery-trajectories")
        models, records = [BASE, *RUNS], []
        for model in RUNS:
            filled = {"phase": "phase2", "model": f"{model}/1"}
            self.make("train", filled=filled, own={"run": model, "train_seed": 1, "beta": None})
            records.append(f"{RESULTS}/phase2/records/{model}/1.json")
        for model in models:
            adapter = {} if model == BASE else {"adapter": f"{RESULTS}/phase2/adapters/{model}/1"}
            filled = {"phase": "phase3", "model": f"{model}/1"}
            self.make("evaluate", filled=filled, own={"model": model, "train_seed": 1}, **adapter)
        played = {
            name: [f"{RESULTS}/phase3/models/{model}/1/{name}.parquet" for model in models]
            for name in ("episodes", "probes")
        }
        self.make("training-summary", records=records)
        self.make("training-losses", records=records)
        self.make("evaluation-summary", episodes=played["episodes"])
        self.make("mechanistic-summary", **played)
        self.make(
            "drift", filled={"run": RUNS[0]}, own={"model": RUNS[0]}, adapter=f"{RESULTS}/phase2/adapters/{RUNS[0]}/1"
        )
        for name in ("drift", "patch_test"):
            artifact = ARTIFACTS[name]
            shutil.copyfile(f"{RESULTS}/{artifact.path.format(run=RUNS[0])}", f"{RESULTS}/{artifact.whole}")
        trained: dict[str, Any] = {"filled": {"run": RUNS[0]}, "own": {"model": RUNS[0]}}
        trained["adapter"] = f"{RESULTS}/phase2/adapters/{RUNS[0]}/1"
        self.make("checkpoints", **trained)
        self.make("failures", **trained)
        self.make("feature-drift", failures=[f"{RESULTS}/phase3/failure_features/{RUNS[0]}.parquet"])
        self.make("end2end", episodes=played["episodes"])
        retained = ARTIFACTS["checkpoint_episodes"].path.format(run=RUNS[0])
        self.make("checkpoint-summary", base=played["episodes"][0], episodes=[f"{RESULTS}/{retained}"])
        for method in config.selection.methods:
            name = selection_name(method, 4)
            self.make("select", filled={"run": name}, own={"k": 4, "method": method, "draws": 1})
            self.make(
                "selection-examples",
                filled={"run": name},
                own={"k": 4},
                selection=f"{RESULTS}/phase5/sets/{name}.parquet",
            )
        self.make("influence")
        self.make(
            "select",
            name="select by influence",
            filled={"run": "S_influence_k4"},
            own={"k": 4, "method": "influence", "draws": 1},
            gradients=DATA["gradients"],
        )
        for name in ("selection", "selection_budget"):
            artifact = ARTIFACTS[name]
            paths = [f"{RESULTS}/{artifact.path.format(run=selection_name(m, 4))}" for m in config.selection.methods]
            schema = getattr(tables, artifact.schema)
            tables.write(
                pl.concat([tables.read(path, schema) for path in paths]), f"{RESULTS}/{artifact.whole}", schema
            )
        self.make("selection-summary", episodes=played["episodes"])
        self.paper()

    def judged(self) -> None:
        """Three episodes and three pieces of advice are judged, by an endpoint that wants no key."""
        judge = self.config.judge.model_copy(update={"episodes": 3, "advice": 3, "base_url": self.judge})
        judge = judge.model_copy(update={"api_key_env": ""})
        teacher = self.config.teacher.model_copy(update={"max_retries": 0})
        config = self.config.model_copy(update={"judge": judge, "teacher": teacher})
        self.operational["judge"] = operational_parameters(config)["judge"]
        self.line(Line("judge", inputs_of("judge", self.paths), outputs_of("judge"), parameters(config, "judge")))
        self.make("judge-agreement")

    def paper(self) -> None:
        """Figures and tables are made when they are asked for: drawing all takes longer than all of the rest."""
        data = {name: path for name, path in DATA.items() if Path(path).exists()}
        for stage, items in (("figure", FIGURES), ("table", ITEMS)):
            for item in items.values():
                if set(item.inputs) <= set(data):
                    names = ("pdf", "png") if stage == "figure" else ("tex", "csv", "full")
                    own: dict[str, str | None] = {"expert": None}
                    if stage == "table":
                        own["world_name"] = self.config.world.name if item.words else None
                    self.line(
                        Line(
                            stage,
                            {name: data[name] for name in item.inputs},
                            dict(zip(names, item.files, strict=True)),
                            parameters(self.config, stage, item=item.id, **own),
                        ),
                        f"{stage} {item.id}",
                        now=False,
                    )
        inputs = {name: data[name] for name in CRITERIA_INPUTS if name in data}
        self.line(Line("criteria", inputs, {"criteria": DATA["criteria"]}, parameters(self.config, "criteria")))
        own = {"libraries": []}
        places = {"figures": (FIGURES, 1), "tables": (ITEMS, 1)}
        drawn: dict[str, list[str]] = {}
        for kind, (items, which) in places.items():
            for name in MINIMUM[kind]:
                path = Path("drawn", items[name].files[which])
                path.parent.mkdir(parents=True, exist_ok=True)
                heads = list(headings(name)) if kind == "tables" else []
                row = ",".join("1" for _ in heads)
                path.write_bytes(f"{','.join(heads)}\n{row}\n".encode() if heads else PIXEL)
                drawn.setdefault(kind, []).append(str(path))
        carried = {"vectors": [FIGURES[name].files[0] for name in MINIMUM["figures"]]}
        carried["sources"] = [ITEMS[name].files[which] for name in MINIMUM["tables"] for which in (0, 2)]
        for path in (*carried["vectors"], *carried["sources"]):  # what they hold is not looked at
            Path("drawn", path).write_bytes(b"%")
        given = {kind: [f"drawn/{path}" for path in paths] for kind, paths in carried.items()}
        self.make("report", pictures=drawn["figures"], listings=drawn["tables"], own=own, **given)
        models = sorted(str(path) for path in Path(RESULTS).glob("phase3/models/**/probes.parquet"))
        self.make(
            "viewer",
            examples=[f"{RESULTS}/{ARTIFACTS['examples'].whole}"],
            played=[path.replace("probes", "episodes") for path in models],
            probes=models,
            own={"preset": "smoke", "layout": "compact"},
        )
