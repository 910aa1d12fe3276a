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
        f"results/{table}": (
            schema,
            expand("results/{table}/{shard}.parquet", table=table, shard=shards),
        )
        for table, schema, shards in (
            ("phase0/steps", "STEPS", TASK_SHARDS["train"]),
            ("phase0/episodes", "EPISODES", TASK_SHARDS["train"]),
            ("phase0/episode_values", "EPISODE_VALUES", TASK_SHARDS["train"]),
            ("phase0/advice", "ADVICE", SNAPSHOT_SHARDS),
            ("phase1/estimates", "ESTIMATES", SNAPSHOT_SHARDS),
            ("phase1/action_values", "ACTION_VALUES", SNAPSHOT_SHARDS),
            ("phase1/label_episodes", "EPISODES", SNAPSHOT_SHARDS),
            ("phase1/tree_nodes", "TREE_NODES", SNAPSHOT_SHARDS),
            ("phase1b/micro_episodes", "EPISODES", MICRO_SHARDS),
            ("phase1b/microtraining", "MICROTRAINING", MICRO_SHARDS),
            ("phase3/drift", "DRIFT", CONFIG.evaluation.drift_runs),
            ("phase5/sets", "SELECTION", SELECTIONS),
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
