"""Training and evaluation of every model: the matrix and recovery (phases 2 and 3), the selections (phase 5).

Needs: examples, replay, panels, games, student. Makes, for every run and training seed: <phase>/adapters/<run>/<seed>,
records/<run>/<seed>.json and, in phase 3 or 5, models/<run>/<seed>/{episodes,probes}.parquet.

A job makes `resources.models_per_job` models, so that a small student's libraries are not loaded for each. The store
keeps every model by itself: where one changed, its job takes the others from there.
"""

MODELS = {  # suffix of the rules: (where adapters go, where evaluations go, runs)
    "": ("results/phase2", "results/phase3", TRAINED),
    "_selection": ("results/phase5", "results/phase5", SELECTIONS),
}


def beside_of(run):
    """What a selection run's method reads that most do not."""
    method = METHODS[selection_of(run)[0]]
    return {"gradients": DATA["gradients"]} if method.gradients else {}


def models_of(runs):
    """Every training of the runs: <run>/<training seed>."""
    return [f"{run}/{seed}" for run in runs for seed in TRAIN_SEEDS]


def examples_of(trained, model):
    run = model.split("/")[0]
    if trained == "results/phase5":
        return f"{trained}/examples/{run}.parquet"
    return f"{trained}/{'recovery_' if run == 'recovery' else ''}examples.parquet"


TRAINING = {"results/phase2": CONFIG.training, "results/phase5": SELECTION_TRAINING}


def labels_of(models):
    """What only runs by direct preference optimisation read: what the student did at their snapshots."""
    return [DATA["labeled"]] * any(
        model.split("/")[0] in PREFERRING for model in models
    )


def train_line(trained, model):
    run, seed = model.split("/")
    labels = {"labeled": DATA["labeled"]} if labels_of([model]) else {}
    return Line(
        "train",
        {
            "examples": examples_of(trained, model),
            "replay": DATA["replay"],
            "student": STUDENT,
            **labels,
        },
        makes("train", phase=Path(trained).name, model=model),
        settings(
            "train",
            run=run,
            train_seed=int(seed),
            training=TRAINING[trained],
            beta=CONFIG.dpo.beta if labels else None,
        ),
    )


def evaluate_line(trained, evaluated, model):
    run, seed = model.split("/")
    adapter = {} if run == BASE else {"adapter": f"{trained}/adapters/{model}"}
    fewer = {"retention_repeats": CONFIG.selection.retention_repeats}
    return Line(
        "evaluate",
        needs("evaluate", **adapter),
        makes("evaluate", phase=Path(evaluated).name, model=model),
        settings(
            "evaluate",
            model=run,
            train_seed=int(seed),
            **(fewer if evaluated == "results/phase5" else {}),
        ),
    )


for suffix, (trained, evaluated, every_run) in MODELS.items():
    for number, models in batches(models_of(every_run), "{model}").items():
        label = number.removeprefix("_") or "{model}"
        told = " ".join(models) if number else "{wildcards.model}"

        rule:
            name:
                f"train{suffix}{number}"
            input:
                examples=lambda w, trained=trained, models=models: sorted(
                    {examples_of(trained, model.format(**w)) for model in models}
                ),
                replay=DATA["replay"],
                student=STUDENT,
                labeled=lambda w, models=models: labels_of(
                    model.format(**w) for model in models
                ),
            output:
                adapters=[directory(f"{trained}/adapters/{model}") for model in models],
                records=[f"{trained}/records/{model}.json" for model in models],
            log:
                log_of(f"{Path(trained).name}/train/{label}"),
            benchmark:
                timing_of(f"{Path(trained).name}/train/{label}")
            priority: 3 if trained == "results/phase2" else 2  # the longest chain first, so that no core waits at its end
            threads: STUDENT_THREADS
            resources:
                **STUDENT_JOB,
            params:
                code=code("train"),
                lines=lambda w, trained=trained, models=models: joined(
                    train_line(trained, model.format(**w)) for model in models
                ),
            message:
                f"Train LoRA adapters: {told}"
            shell:
                LINES

        rule:
            name:
                f"evaluate{suffix}{number}"
            input:
                **needs("evaluate"),
                adapters=[f"{trained}/adapters/{model}" for model in models],
            output:
                episodes=[
                    f"{evaluated}/models/{model}/episodes.parquet" for model in models
                ],
                probes=[
                    f"{evaluated}/models/{model}/probes.parquet" for model in models
                ],
            log:
                log_of(f"{Path(evaluated).name}/evaluate/{label}"),
            benchmark:
                timing_of(f"{Path(evaluated).name}/evaluate/{label}")
            wildcard_constraints:
                model=r"(?!base)[A-Za-z0-9_]+/\d+",
            threads: STUDENT_THREADS
            resources:
                **STUDENT_JOB,
            params:
                code=code("evaluate"),
                lines=lambda w, trained=trained, evaluated=evaluated, models=models: joined(
                    evaluate_line(trained, evaluated, model.format(**w))
                    for model in models
                ),
            message:
                f"Play on every panel: {told}"
            shell:
                LINES
