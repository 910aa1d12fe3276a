"""Every table that is made in shards, and the rule that puts it together.

Needs: the shards. Makes: the whole tables of phases 0 to 5. On a cluster this runs beside the driver, not in the queue.
"""

# table: (schema, shards)
SHARDED = {
    **{
        f"results/phase0/tasks_{split}": (
            "TASKS",
            expand(
                "results/world/{split}/tasks/{shard}.parquet",
                split=split,
                shard=TASK_SHARDS[split],
            ),
        )
        for split in SPLITS
    },
    **{
        DATA[name].removesuffix(".parquet"): (
            ARTIFACTS[name].schema,
            expand(f"{RESULTS}/{ARTIFACTS[name].path}", shard=shards, run=shards),
        )
        for name, shards in (
            ("steps", TASK_SHARDS["train"]),
            ("episodes", TASK_SHARDS["train"]),
            ("episode_values", TASK_SHARDS["train"]),
            ("advice", SNAPSHOT_SHARDS),
            ("estimates", SNAPSHOT_SHARDS),
            ("action_values", SNAPSHOT_SHARDS),
            ("label_episodes", SNAPSHOT_SHARDS),
            ("tree_nodes", SNAPSHOT_SHARDS),
            ("leverage_estimates", SNAPSHOT_SHARDS),
            ("leverage_episodes", SNAPSHOT_SHARDS),
            ("leverage_nodes", SNAPSHOT_SHARDS),
            ("patch_estimates", SNAPSHOT_SHARDS),
            ("patch_episodes", SNAPSHOT_SHARDS),
            ("patch_nodes", SNAPSHOT_SHARDS),
            ("micro_episodes", MICRO_SHARDS),
            ("microtraining", MICRO_SHARDS),
            ("drift", CONFIG.evaluation.drift_runs),
            ("selection", SELECTIONS),
        )
    },
}

for table, (schema, shards) in SHARDED.items():

    rule:
        name:
            f"concat_{Path(table).name}"
        input:
            shards=shards,
        output:
            table=f"{table}.parquet",
        log:
            log_of(f"concat/{Path(table).name}"),
        benchmark:
            timing_of(f"concat/{Path(table).name}")
        localrule: True
        resources:
            **OTHER_JOB,
        params:
            code=code("concat"),
            settings=settings("concat", schema_name=schema),
        message:
            f"Concatenate {table}.parquet"
        shell:
            command("concat")
