"""Phase 5: selection at fixed budgets. One run a method and budget, evaluated as in phase 3.

Needs: features, predictions, labels; the student, where a method asks for its gradients. Makes: results/phase5/{sets,
examples,budget}/<run>.parquet, adapters/<run>/<seed>, models/<run>/<seed>/, metrics.parquet, contrasts.parquet, and
gradients.parquet where one does; losses.parquet, of the trainings of phase 2 too.
"""

DRAWS = {"random": CONFIG.training.seeds}  # another choice for every training


rule influence:
    input:
        **needs("influence"),
    output:
        **makes("influence"),
    log:
        log_of("phase5/influence"),
    benchmark:
        timing_of("phase5/influence")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("influence"),
        settings=settings("influence"),
    message:
        "Phase 5: gradients of the training-side examples"
    shell:
        command("influence")


for number, runs in batches(SELECTIONS, "{run}").items():
    label = number.removeprefix("_") or "{run}"
    told = " ".join(runs) if number else "{wildcards.run}"

    rule:
        name:
            f"select{number}"
        input:
            **needs("select"),
            gradients=lambda w, runs=runs: sorted(
                {path for run in runs for path in beside_of(run.format(**w)).values()}
            ),
        output:
            selection=[f"results/phase5/sets/{run}.parquet" for run in runs],
        log:
            log_of(f"phase5/select/{label}"),
        benchmark:
            timing_of(f"phase5/select/{label}")
        localrule: True
        resources:
            **OTHER_JOB,
        params:
            code=lambda w, runs=runs: sorted(
                {
                    code("select", method=selection_of(run.format(**w))[0])
                    for run in runs
                }
            ),
            lines=lambda w, runs=runs: joined(
                Line(
                    "select",
                    needs("select", **beside_of(run)),
                    makes("select", run=run),
                    settings(
                        "select",
                        method=selection_of(run)[0],
                        k=selection_of(run)[1],
                        draws=DRAWS.get(selection_of(run)[0], 1),
                    ),
                )
                for run in (run.format(**w) for run in runs)
            ),
        message:
            f"Phase 5: choose the snapshots of {told}"
        shell:
            LINES

    rule:
        name:
            f"selection_examples{number}"
        input:
            **needs(
                "selection-examples",
                selection=[f"results/phase5/sets/{run}.parquet" for run in runs],
            ),
        output:
            examples=[f"results/phase5/examples/{run}.parquet" for run in runs],
            budget=[f"results/phase5/budget/{run}.parquet" for run in runs],
        log:
            log_of(f"phase5/selection_examples/{label}"),
        benchmark:
            timing_of(f"phase5/selection_examples/{label}")
        localrule: True
        resources:
            **OTHER_JOB,
        params:
            code=code("selection-examples"),
            lines=lambda w, runs=runs: joined(
                Line(
                    "selection-examples",
                    needs(
                        "selection-examples",
                        selection=f"results/phase5/sets/{run}.parquet",
                    ),
                    makes("selection-examples", run=run),
                    settings("selection-examples", k=selection_of(run)[1]),
                )
                for run in (run.format(**w) for run in runs)
            ),
        message:
            f"Phase 5: make the training sets of {told}"
        shell:
            LINES


rule selection_summary:
    input:
        episodes=[
            *expand(
                "results/phase3/models/{model}/episodes.parquet",
                model=models_of([BASE, REPLAY_ONLY]),
            ),
            *expand(
                "results/phase5/models/{model}/episodes.parquet",
                model=models_of(SELECTIONS),
            ),
        ],
        labeled=DATA["labeled"],
    output:
        **makes("selection-summary"),
    log:
        log_of("phase5/selection_summary"),
    benchmark:
        timing_of("phase5/selection_summary")
    resources:
        **OTHER_JOB,
    params:
        code=code("selection-summary"),
        settings=settings("selection-summary"),
    message:
        "Phase 5: compare the selection methods"
    shell:
        command("selection-summary")


rule training_losses:
    input:
        records=[
            f"results/{phase}/records/{model}.json"
            for phase, runs in (("phase2", TRAINED), ("phase5", SELECTIONS))
            for model in models_of(runs)
        ],
    output:
        **makes("training-losses"),
    log:
        log_of("phase5/training_losses"),
    benchmark:
        timing_of("phase5/training_losses")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("training-losses"),
        settings=settings("training-losses"),
    message:
        "Phase 5: put together the losses of every training"
    shell:
        command("training-losses")


rule phase5:
    input:
        rules.selection_summary.output,
        "results/phase5/sets.parquet",


localrules:
    phase5,
