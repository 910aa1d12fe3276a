"""Phase 0: student rollouts, snapshots, restore check, retention panel, advice.

Needs: games, tasks, student. Makes: results/phase0/{steps,episodes,snapshots,retention_panel,advice}.parquet,
restore_check.json, splits.json.
"""


rule rollout:
    input:
        tasks="results/world/train/tasks/{shard}.parquet",
        games="results/world/train/games/{shard}",
        student=STUDENT,
    output:
        steps="results/phase0/steps/{shard}.parquet",
        episodes="results/phase0/episodes/{shard}.parquet",
    log:
        log_of("phase0/rollout/{shard}"),
    benchmark:
        timing_of("phase0/rollout/{shard}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("rollout"),
        settings=settings("rollout"),
    message:
        "Phase 0: play the student on training games, shard {wildcards.shard}"
    shell:
        command("rollout")


rule episode_values:
    input:
        steps="results/phase0/steps/{shard}.parquet",
        episodes="results/phase0/episodes/{shard}.parquet",
        tasks="results/world/train/tasks/{shard}.parquet",
        games="results/world/train/games/{shard}",
        student=STUDENT,
    output:
        values="results/phase0/episode_values/{shard}.parquet",
    log:
        log_of("phase0/episode_values/{shard}"),
    benchmark:
        timing_of("phase0/episode_values/{shard}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("episode-values"),
        settings=settings("episode-values"),
    message:
        "Phase 0: value every decision of the failed episodes, shard {wildcards.shard}"
    shell:
        command("episode-values")


BY_FALL = CONFIG.snapshots.mode == "fall"


rule snapshots:
    input:
        **({"values": "results/phase0/episode_values.parquet"} if BY_FALL else {}),
        steps="results/phase0/steps.parquet",
        episodes="results/phase0/episodes.parquet",
    output:
        snapshots="results/phase0/snapshots.parquet",
    log:
        log_of("phase0/snapshots"),
    benchmark:
        timing_of("phase0/snapshots")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("snapshots"),
        settings=settings("snapshots"),
    message:
        "Phase 0: mine the decision points before failure"
    shell:
        command("snapshots", without=[] if BY_FALL else ["values"])


rule restore_check:
    input:
        snapshots="results/phase0/snapshots.parquet",
        tasks=TASKS["train"],
        games=GAMES["train"],
    output:
        report="results/phase0/restore_check.json",
    log:
        log_of("phase0/restore_check"),
    benchmark:
        timing_of("phase0/restore_check")
    resources:
        **OTHER_JOB,
    params:
        code=code("restore-check"),
        settings=settings("restore-check"),
    message:
        "Phase 0: restore every snapshot and compare it"
    shell:
        command("restore-check")


rule retention_panel:
    input:
        steps="results/phase0/steps.parquet",
        episodes="results/phase0/episodes.parquet",
    output:
        panel="results/phase0/retention_panel.parquet",
    log:
        log_of("phase0/retention_panel"),
    benchmark:
        timing_of("phase0/retention_panel")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("retention-panel"),
        settings=settings("retention-panel", retention=CONFIG.panels.retention),
    message:
        "Phase 0: choose tasks that the base student wins, near-misses first"
    shell:
        command("retention-panel")


rule advise:
    input:
        snapshots="results/phase0/snapshots.parquet",
        tasks=TASKS["train"],
        games=GAMES["train"],
    output:
        advice="results/phase0/advice/{shard}.parquet",
    log:
        log_of("phase0/advise/{shard}"),
    benchmark:
        timing_of("phase0/advise/{shard}")
    resources:
        **OTHER_JOB,
    params:
        code=code("advise"),
        settings=lambda w: settings(
            "advise",
            student_layout=LAYOUT,
            shard=int(w.shard),
            shards=len(SNAPSHOT_SHARDS),
        ),
    message:
        "Phase 0: ask the teacher, shard {wildcards.shard}"
    shell:
        command("advise")


rule phase0:
    input:
        "results/config.json",
        "results/phase0/splits.json",
        "results/phase0/steps.parquet",
        rules.snapshots.output,
        rules.restore_check.output,
        rules.retention_panel.output,
        "results/phase0/advice.parquet",


localrules:
    phase0,
