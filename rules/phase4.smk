"""Phase 4: the teachability predictor.

Needs: labels, rollouts, student. Makes: results/phase4/{features,predictions,metrics,calibration,importance,
confusion,cost}.parquet.
"""


rule features:
    input:
        labeled="results/phase1/labeled_snapshots.parquet",
        steps="results/phase0/steps.parquet",
        student=STUDENT,
    output:
        features="results/phase4/features.parquet",
    log:
        log_of("phase4/features"),
    benchmark:
        timing_of("phase4/features")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("features"),
        settings=settings("features", world_name=CONFIG.world.name),
    message:
        "Phase 4: features of every snapshot"
    shell:
        command("features")


rule predict:
    input:
        features="results/phase4/features.parquet",
        labeled="results/phase1/labeled_snapshots.parquet",
        panels="results/phase1/panels.parquet",
    output:
        predictions="results/phase4/predictions.parquet",
        metrics="results/phase4/metrics.parquet",
        calibration="results/phase4/calibration.parquet",
        importance="results/phase4/importance.parquet",
        confusion="results/phase4/confusion.parquet",
        cost="results/phase4/cost.parquet",
    log:
        log_of("phase4/predict"),
    benchmark:
        timing_of("phase4/predict")
    resources:
        **OTHER_JOB,
    params:
        code=code("predict"),
        settings=settings("predict"),
    message:
        "Phase 4: fit the predictor and its rivals, held out by game"
    shell:
        command("predict")


rule phase4:
    input:
        rules.predict.output,


localrules:
    phase4,
