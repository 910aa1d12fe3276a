"""What every rules file uses: the resolved configuration, and how a rule becomes a command line."""

import time
from math import ceil

from teachable.artifacts.catalogue import ARTIFACTS, RESULTS
from teachable.config.expert import Expert
from teachable.config.kept import keep_preset, kept_preset
from teachable.config.load import read_yaml
from teachable.errors import ConfigError, TeachableError
from teachable.artifacts.fingerprint import fingerprint
from teachable.paper.closing import closing
from teachable.selection import METHODS, check_known
from teachable.stages import STAGES
from teachable.student.files import is_adapter, model_files
from teachable.workflow.configuration import configuration, making_options
from teachable.workflow.lines import (
    Line,
    Placeholder,
    inputs_of,
    joined,
    log_of,
    operational_parameters,
    outputs_of,
    parameters,
    recorded,
    shell_line,
    timing_of,
)
from teachable.workflow.during import took
from teachable.workflow.tokens import write as tokens
from teachable.workflow.start import begin
from teachable.terms import (
    BASE,
    RECOVERY,
    REPLAY_ONLY,
    controls,
    matrix,
    preference_name,
    selection_name,
    selection_of,
)

STARTED = time.time()
HERE = Path(workflow.basedir)
# Follows the jobs of this run, from its first to its last; none in the process of a job.
FOLLOWERS = []
# The preset that made what stands here. A command that names none goes on with it.
KEPT = Path("results/preset")

try:
    RAW = read_yaml(HERE / "workflow_config.yaml")
    CONFIG, WORLD = configuration(
        {**RAW, "override": config},
        preset=config.get("preset", kept_preset(KEPT)),
        given=" and ".join([*map(str, workflow.overwrite_configfiles), "--config"]),
    )
    check_known(CONFIG.selection.methods)
except ConfigError as error:
    raise WorkflowError(str(error)) from None

if "preset" not in config and CONFIG.preset != RAW["preset"]:
    logger.info(f"Going on with preset {CONFIG.preset}, which made {KEPT.parent}/.")

if CONFIG.store.enabled:
    os.environ.setdefault("TEACHABLE_STORE", str(Path(CONFIG.store.path).expanduser()))

if CONFIG.monitoring.tensorboard:
    os.environ.setdefault(
        "TEACHABLE_TENSORBOARD",
        str(Path(CONFIG.monitoring.tensorboard).expanduser().absolute()),
    )

shell.executable("bash")
# The C library (glibc) gives blocks above 128 kB back at once and gets them again, page by page: a fifteenth of a small
# student's training. Here a process keeps blocks up to 32 MB (those of large models still go back) and 256 MB in all.
shell.prefix(
    "set -euo pipefail; export MALLOC_TRIM_THRESHOLD_=268435456 MALLOC_MMAP_THRESHOLD_=33554432; "
)


# Not in `params`: to turn one of these reruns nothing.
OPERATIONAL = operational_parameters(CONFIG)


def needs(stage, **own):
    """The inputs of a rule: those that its stage declares, where they lie, and ``own`` where the rule says otherwise."""
    return inputs_of(stage, PATHS, **own)


def makes(stage, **wildcards):
    """The outputs of a rule: those that its stage declares; ``wildcards`` are filled in."""
    found = {}
    for name, path in outputs_of(stage).items():
        for wildcard, value in wildcards.items():
            path = path.replace(f"{{{wildcard}}}", value)
        found[name] = path if Path(path).suffix else directory(path)
    return found


def command(stage, inputs=None, *, without=()):
    """The shell line of a rule whose inputs, outputs and settings have the stage's names for them."""
    return shell_line(Line.of_rule(stage, inputs, without=without))


# For rules made in loops. Snakemake evaluates ``shell:`` when the job runs, and by then the loop is over.
LINES = shell_line(Placeholder("{params.lines}"))


def settings(stage, /, **own):
    """The parameters of a stage: what it uses of the configuration, and the rule's own."""
    return parameters(CONFIG, stage, **own)


def code(stage, **extra):
    """Fingerprint of the code a stage can reach: an edit that changes it reruns the stage, a comment does not."""
    modules = STAGES[stage].modules({"world_name": CONFIG.world.name, **extra})
    return " ".join(fingerprint(module) for module in modules)


# Resources of a job that loads the student, and of any other; a retry asks for more memory and time.
STUDENT_THREADS = CONFIG.resources.threads
STUDENT_JOB = dict(
    gpu=CONFIG.resources.gpus,
    mem_mb=lambda wildcards, attempt: 1000 * CONFIG.resources.gpu_memory_gb * attempt,
    runtime=lambda wildcards, attempt: CONFIG.resources.student_minutes * attempt,
)
OTHER_JOB = dict(
    mem_mb=lambda wildcards, attempt: 1000 * CONFIG.resources.memory_gb * attempt,
    runtime=lambda wildcards, attempt: CONFIG.resources.minutes * attempt,
)


def task_items(split):
    """(family, index) of every game of a split, families in turn, so that more games leave earlier shards as they are."""
    counts = getattr(CONFIG.tasks, split)
    return sorted(
        ((family, index) for family, count in counts.items() for index in range(count)),
        key=lambda item: (item[1], list(counts).index(item[0])),
    )


def numbered(count):
    return [f"{number:03d}" for number in range(count)]


SPLITS = [split for split in ("warmstart", "train", "test") if task_items(split)]
TASK_SHARDS = {
    split: numbered(ceil(len(task_items(split)) / CONFIG.tasks.shard_size))
    for split in SPLITS
}
GAMES = {
    split: expand(
        "results/world/{split}/games/{shard}", split=split, shard=TASK_SHARDS[split]
    )
    for split in SPLITS
}
TASKS = {split: f"results/phase0/tasks_{split}.parquet" for split in SPLITS}

_interval = CONFIG.snapshots.interval_episodes * ceil(
    CONFIG.world.max_steps / CONFIG.snapshots.interval
)
SNAPSHOT_SHARDS = numbered(
    ceil(
        (
            CONFIG.snapshots.max_snapshots
            + CONFIG.snapshots.max_expert_snapshots
            + _interval
        )
        / CONFIG.snapshots.shard_size
    )
)
MICRO_SHARDS = numbered(
    ceil(4 * CONFIG.panels.validation_per_quadrant / CONFIG.microtraining.shard_size)
)

# The names by which figures, tables, criteria and report ask for data, and where it lies.
DATA = {
    name: f"{RESULTS}/{artifact.whole}"
    for name, artifact in ARTIFACTS.items()
    if artifact.path and artifact.kind != "path"
}

STUDENT = "results/student"
# Results that lie in parts which no rule puts together, and those of test games.
PATHS = {
    "tasks": TASKS["train"],
    "games": GAMES["train"],
    "test_tasks": TASKS["test"],
    "test_games": GAMES["test"],
}
# Runs by direct preference optimisation; none by default.
PREFERRING = [preference_name(quadrant) for quadrant in CONFIG.dpo.quadrants]
TRAINED = [run.name for run in (*matrix(), *controls())] + [RECOVERY, *PREFERRING]
# Runs whose checkpoints play the retention panel though the patch test is not repeated there.
CURVES = [
    run
    for run in TRAINED
    if CONFIG.evaluation.retention_curves == "all"
    and run not in CONFIG.evaluation.drift_runs
]
TRAIN_SEEDS = [str(seed + 1) for seed in range(CONFIG.training.seeds)]
SELECTIONS = [
    selection_name(method, k)
    for k in CONFIG.selection.k
    for method in CONFIG.selection.methods
]
# A set of few snapshots is gone through more often, and with more replayed beside it.
SELECTION_TRAINING = CONFIG.training.model_copy(
    update=dict(epochs=CONFIG.selection.epochs, replay=CONFIG.selection.replay)
)


def batches(names, wildcard):
    """Suffix of a rule's name, and what its job makes; one rule with a wildcard where each job makes one."""
    size = CONFIG.resources.models_per_job
    if size == 1:
        return {"": [wildcard]}
    return {
        f"_{number}": names[first : first + size]
        for number, first in enumerate(range(0, len(names), size), 1)
    }


# The model or adapter that plays as the expert; of an adapter, the student it is for is needed too.
LINKED = (
    {"checkpoint": DATA["checkpoint"]} if CONFIG.expert.source == "checkpoint" else {}
)
OF_STUDENT = bool(LINKED) and is_adapter(Path(CONFIG.expert.path))
NO_EXPERT_INPUT = [] if LINKED else ["checkpoint"]
SOLVER = Expert(
    source="oracle", teacher=None, path=None, revision=None, layout=None, temperature=0
)
EXPERT_JOB = STUDENT_JOB if LINKED else OTHER_JOB
EXPERT_THREADS = STUDENT_THREADS if LINKED else 1


# Of a warm start the demonstrations are an expert's, without gaps, and the weights that it makes are linked.
BUILTIN = CONFIG.student.source == "builtin"
WARM = CONFIG.student.warm_start
DEMONSTRATED = (
    dict(trajectories=WARM.trajectories, noise=WARM.noise, gaps={}, own_lights=0.0)
    if WARM
    else {}
)
LEARNED_FROM = dict(
    demonstrations=expand(
        "results/world/warmstart/demonstrations/{shard}.parquet",
        shard=TASK_SHARDS.get("warmstart", []),
    ),
    tasks=expand(
        "results/world/warmstart/tasks/{shard}.parquet",
        shard=TASK_SHARDS.get("warmstart", []),
    ),
    games=GAMES.get("warmstart", []),
)
WEIGHTS = (
    "results/world/builtin_student"
    if BUILTIN
    else "results/world/warm_student" if WARM else None
)

LAYOUT = CONFIG.student.layout or (
    "compact" if CONFIG.student.source == "builtin" else "chat"
)


wildcard_constraints:
    split="warmstart|train|test",
    shard=r"\d+",
    run=r"[A-Za-z0-9_]+",
    model=r"[A-Za-z0-9_]+/\d+",  # a run and its training seed
    method="[a-z_]+",
