"""Phase 4: the teachability predictor.

Needs: labels, rollouts, student. Makes: results/phase4/{features,predictions,metrics,calibration,importance,
confusion,cost}.parquet and predictor.safetensors, which `teachable rank` reads.
"""


rule features:
    input:
        **needs("features"),
    output:
        **makes("features"),
    log:
        log_of("phase4/features"),
    benchmark:
        timing_of("phase4/features")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("features"),
        settings=settings("features"),
    message:
        "Phase 4: features of every snapshot"
    shell:
        command("features")


rule predict:
    input:
        **needs("predict"),
    output:
        **makes("predict"),
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
