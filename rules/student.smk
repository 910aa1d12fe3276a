"""The world's games and the student.

Needs: nothing. Makes: results/world/<split>/games, results/phase0/tasks_<split>.parquet, results/student and, where a
checkpoint plays as the expert, results/expert.json. A pretrained student is warmed up first where the configuration
says so.
"""


localrules:
    resolve_config,


rule resolve_config:
    output:
        **makes("resolve-config"),
    log:
        log_of("setup/config"),
    benchmark:
        timing_of("setup/config")
    resources:
        **OTHER_JOB,
    params:
        code=code("resolve-config"),
        settings=settings("resolve-config", config=recorded(CONFIG)),
    message:
        "Write the resolved configuration"
    shell:
        command("resolve-config")


rule make_tasks:
    output:
        **makes("make-tasks"),
    log:
        log_of("world/{split}/{shard}"),
    benchmark:
        timing_of("world/{split}/{shard}")
    wildcard_constraints:
        split="train|test",
    priority: 1  # before the episodes played on them, so that these are spread over all cores
    resources:
        **OTHER_JOB,
    params:
        code=code("make-tasks"),
        settings=lambda w: settings(
            "make-tasks",
            options=making_options(CONFIG, w.split),
            split=w.split,
            items=task_items(w.split)[
                int(w.shard)
                * CONFIG.tasks.shard_size : (int(w.shard) + 1)
                * CONFIG.tasks.shard_size
            ],
        ),
    message:
        "Generate {wildcards.split} games, shard {wildcards.shard}, and let the expert win each once"
    shell:
        command("make-tasks")


# The student waits for these: they come first.
use rule make_tasks as make_warmstart_tasks with:
    output:
        **makes("make-tasks"),
    wildcard_constraints:
        split="warmstart",
    priority: 2


rule check_splits:
    input:
        tasks=[TASKS[split] for split in SPLITS],
    output:
        **makes("check-splits"),
    log:
        log_of("world/check_splits"),
    benchmark:
        timing_of("world/check_splits")
    resources:
        **OTHER_JOB,
    params:
        code=code("check-splits"),
        settings=settings("check-splits"),
    message:
        "Check that no game is in two splits"
    shell:
        command("check-splits")


if BUILTIN or WARM:

    rule demonstrate:
        input:
            tasks="results/world/warmstart/tasks/{shard}.parquet",
            games="results/world/warmstart/games/{shard}",
        output:
            **makes("demonstrate"),
        log:
            log_of("student/demonstrate/{shard}"),
        benchmark:
            timing_of("student/demonstrate/{shard}")
        priority: 2
        resources:
            **OTHER_JOB,
        params:
            code=code("demonstrate"),
            settings=settings("demonstrate", **DEMONSTRATED),
        message:
            "Play the episodes that the student learns from beforehand, shard {wildcards.shard}"
        shell:
            command("demonstrate")


if BUILTIN:

    rule build_student:
        input:
            **LEARNED_FROM,
        output:
            **makes("build-student"),
        log:
            log_of("student/build"),
        benchmark:
            timing_of("student/build")
        priority: 2
        threads: CONFIG.builtin.threads
        resources:
            **STUDENT_JOB,
        params:
            code=code("build-student"),
            settings=settings("build-student"),
        message:
            "Make the built-in student: a small Qwen3 cloned from a demonstrator that lacks some skills"
        shell:
            command("build-student")


if WARM:

    rule warm_start:
        # the model's files are inputs to Snakemake only: one that is newer is warmed up anew
        input:
            **LEARNED_FROM,
            model=model_files(CONFIG.student.path),
        output:
            **makes("warm-start"),
        log:
            log_of("student/warm_start"),
        benchmark:
            timing_of("student/warm_start")
        priority: 2
        threads: STUDENT_THREADS
        resources:
            **STUDENT_JOB,
        params:
            code=code("warm-start"),
            settings=settings("warm-start"),
        message:
            "Warm the pretrained student up with expert play, and see how often it wins then"
        shell:
            command("warm-start")


if LINKED:

    rule link_expert:
        # the files are inputs to Snakemake only, as those of a pretrained student: one that is newer links it again
        input:
            **({"base": STUDENT} if OF_STUDENT else {}),
            model=model_files(CONFIG.expert.path),
        output:
            **makes("link-expert"),
        log:
            log_of("student/link_expert"),
        benchmark:
            timing_of("student/link_expert")
        threads: STUDENT_THREADS
        resources:
            **STUDENT_JOB,
        params:
            code=code("link-expert"),
            settings=settings("link-expert"),
        message:
            "Try out the checkpoint that plays on as the expert, and record which it is"
        shell:
            command("link-expert", without=[] if OF_STUDENT else ["base"])


rule link_student:
    # of a pretrained model the files are inputs to Snakemake only: one that is newer links it again
    input:
        **(
            {"weights": WEIGHTS}
            if WEIGHTS
            else {"model": model_files(CONFIG.student.path)}
        ),
    output:
        **makes("link-student"),
    log:
        log_of("student/link"),
    benchmark:
        timing_of("student/link")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("link-student"),
        settings=settings("link-student"),
    message:
        "Try out the student, and record which model it is and how it answers"
    shell:
        command(
            "link-student",
            without=[] if WEIGHTS else ["weights"],
        )
