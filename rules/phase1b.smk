"""Phase 1b: does the patch test predict what a small update does? Micro-training on single examples.

Needs: labels, panels. Makes: results/phase1b/{microtraining,micro_episodes}.parquet, cpt_correlation.json.
"""


rule microtrain:
    input:
        **needs("microtrain"),
    output:
        **makes("microtrain"),
    log:
        log_of("phase1b/microtrain/{shard}"),
    benchmark:
        timing_of("phase1b/microtrain/{shard}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("microtrain"),
        settings=lambda w: settings(
            "microtrain", shard=int(w.shard), shards=len(MICRO_SHARDS)
        ),
    message:
        "Phase 1b: micro-training, shard {wildcards.shard}"
    shell:
        command("microtrain")


rule cpt_correlation:
    input:
        **needs("cpt-correlation"),
    output:
        **makes("cpt-correlation"),
    log:
        log_of("phase1b/cpt_correlation"),
    benchmark:
        timing_of("phase1b/cpt_correlation")
    resources:
        **OTHER_JOB,
    params:
        code=code("cpt-correlation"),
        settings=settings("cpt-correlation"),
    message:
        "Phase 1b: correlate the patch test with micro-training"
    shell:
        command("cpt-correlation")


rule phase1b:
    input:
        rules.cpt_correlation.output,
        "results/phase1b/micro_episodes.parquet",


localrules:
    phase1b,
