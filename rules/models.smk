"""Training and evaluation of every model: the matrix and recovery (phases 2 and 3), the selections (phase 5).

Needs: examples, panels, games, student. Makes: <phase>/adapters/<run>, records/<run>.json and, in phase 3 or 5,
models/<run>/{episodes,probes}.parquet.

A job makes `resources.models_per_job` models, so that a small student's libraries are not loaded for each. The store
keeps every model by itself: where one changed, its job takes the others from there.
"""

MODELS = {  # suffix of the rules: (where adapters go, where evaluations go, runs)
    "": ("results/phase2", "results/phase3", [*MATRIX, "recovery"]),
    "_selection": ("results/phase5", "results/phase5", SELECTIONS),
}


def batches(runs):
    """Suffix of a rule's name, and its runs; one rule with a wildcard where each job has one run."""
    size = CONFIG.resources.models_per_job
    if size == 1:
        return {"": ["{run}"]}
    return {
        f"_{number}": runs[first : first + size]
        for number, first in enumerate(range(0, len(runs), size), 1)
    }


def examples_of(trained, run):
    if trained == "results/phase5":
        return f"{trained}/examples/{run}.parquet"
    return f"{trained}/{'recovery_' if run == 'recovery' else ''}examples.parquet"


def train_line(trained, run):
    return line(
        "train",
        {"examples": examples_of(trained, run), "student": STUDENT},
        {
            "adapter": f"{trained}/adapters/{run}",
            "record": f"{trained}/records/{run}.json",
        },
        run=run,
    )


PLAYED_ON = {
    "labeled": "results/phase1/labeled_snapshots.parquet",
    "panels": "results/phase1/panels.parquet",
    "retention": "results/phase0/retention_panel.parquet",
    "tasks": TASKS["train"],
    "games": GAMES["train"],
    "test_tasks": TASKS["test"],
    "test_games": GAMES["test"],
}


PLAYING = {
    "horizon": CONFIG.estimation.horizon,
    "test_repeats": CONFIG.evaluation.test_repeats,
    "failure_repeats": CONFIG.evaluation.failure_repeats,
    "retention_repeats": CONFIG.evaluation.retention_repeats,
}


def evaluate_line(trained, evaluated, run):
    return line(
        "evaluate",
        {
            "student": STUDENT,
            "adapter": f"{trained}/adapters/{run}",
            **PLAYED_ON,
        },
        {
            "episodes": f"{evaluated}/models/{run}/episodes.parquet",
            "probes": f"{evaluated}/models/{run}/probes.parquet",
        },
        model=run,
        **PLAYING,
    )


for suffix, (trained, evaluated, every_run) in MODELS.items():
    for number, runs in batches(every_run).items():
        label = number.removeprefix("_") or "{run}"

        rule:
            name:
                f"train{suffix}{number}"
            input:
                examples=lambda w, trained=trained, runs=runs: sorted(
                    {examples_of(trained, run.format(**w)) for run in runs}
                ),
                student=STUDENT,
            output:
                adapters=[directory(f"{trained}/adapters/{run}") for run in runs],
                records=[f"{trained}/records/{run}.json" for run in runs],
            log:
                f"logs/{Path(trained).name}/train/{label}.log",
            benchmark:
                f"{trained.replace('results', 'results/benchmarks')}/train-{label}.tsv"
            threads: STUDENT_THREADS
            resources:
                **STUDENT_JOB,
            params:
                code=code("train"),
                lines=lambda w, trained=trained, runs=runs: " --then ".join(
                    train_line(trained, run.format(**w)) for run in runs
                ),
            message:
                f"Train LoRA adapters: {' '.join(runs)}".replace(
                    "{run}", "{wildcards.run}"
                )
            shell:
                "teachable {params.lines} > {log} 2>&1"

        rule:
            name:
                f"evaluate{suffix}{number}"
            input:
                **PLAYED_ON,
                student=STUDENT,
                adapters=[f"{trained}/adapters/{run}" for run in runs],
            output:
                episodes=[f"{evaluated}/models/{run}/episodes.parquet" for run in runs],
                probes=[f"{evaluated}/models/{run}/probes.parquet" for run in runs],
            log:
                f"logs/{Path(evaluated).name}/evaluate/{label}.log",
            benchmark:
                f"{evaluated.replace('results', 'results/benchmarks')}/evaluate-{label}.tsv"
            wildcard_constraints:
                run="(?!base)[A-Za-z0-9_]+",
            threads: STUDENT_THREADS
            resources:
                **STUDENT_JOB,
            params:
                code=code("evaluate"),
                lines=lambda w, trained=trained, evaluated=evaluated, runs=runs: " --then ".join(
                    evaluate_line(trained, evaluated, run.format(**w)) for run in runs
                ),
            message:
                f"Play on every panel: {' '.join(runs)}".replace(
                    "{run}", "{wildcards.run}"
                )
            shell:
                "teachable {params.lines} > {log} 2>&1"
