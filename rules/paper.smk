"""The paper: one rule a figure, one rule a table, the criteria, the viewer of snapshots and the report.

Needs: the tables of all phases. Makes: figures/fig_*.pdf|png, tables/tab_*.tex|csv, tab_*_full.tex, results/criteria.json,
results/viewer/, results/report.html, report.md and report.zip.

All of it takes seconds from small tables: on a cluster it runs beside the driver, not in the queue.
"""

from teachable.paper import CRITERIA_INPUTS, FIGURES, MINIMUM, TABLES

for item in FIGURES.values():

    rule:
        name:
            f"fig_{item.id}"
        input:
            **{name: DATA[name] for name in item.inputs},
        output:
            pdf=item.files[0],
            png=report(
                item.files[1],
                caption="../docs/report/caption.rst",
                category=item.hypothesis,
                labels={"item": f"Fig. {item.number}", "shows": item.title},
            ),
        log:
            log_of(f"paper/fig_{item.id}"),
        benchmark:
            timing_of(f"paper/fig_{item.id}")
        localrule: True
        resources:
            **OTHER_JOB,
        params:
            code=code("figure", item=item.id),
            lines=joined(
                [
                    Line(
                        "figure",
                        {name: DATA[name] for name in item.inputs},
                        {"pdf": item.files[0], "png": item.files[1]},
                        settings(
                            "figure",
                            item=item.id,
                            expert=item.named(CONFIG.expert.name),
                        ),
                    )
                ]
            ),
            title=item.title,
            caption=item.captioned(CONFIG.expert.name),
        message:
            f"Draw Fig. {item.number}: {item.title}"
        shell:
            LINES


# The world whose vocabulary an item reads, by whether it reads one.
READ_BY = {True: CONFIG.world.name, False: None}

for item in TABLES.values():

    rule:
        name:
            f"tab_{item.id}"
        input:
            **{name: DATA[name] for name in item.inputs},
        output:
            tex=item.files[0],
            csv=report(
                item.files[1],
                caption="../docs/report/caption.rst",
                category=item.hypothesis,
                labels={"item": f"Tab. {item.number}", "shows": item.title},
            ),
            full=item.files[2],
        log:
            log_of(f"paper/tab_{item.id}"),
        benchmark:
            timing_of(f"paper/tab_{item.id}")
        localrule: True
        resources:
            **OTHER_JOB,
        params:
            code=code("table", item=item.id, world_name=READ_BY[item.words]),
            lines=joined(
                [
                    Line(
                        "table",
                        {name: DATA[name] for name in item.inputs},
                        {
                            "tex": item.files[0],
                            "csv": item.files[1],
                            "full": item.files[2],
                        },
                        settings(
                            "table",
                            item=item.id,
                            world_name=READ_BY[item.words],
                            expert=item.named(CONFIG.expert.name),
                        ),
                    )
                ]
            ),
            title=item.title,
            caption=item.captioned(CONFIG.expert.name),
        message:
            f"Make Tab. {item.number}: {item.title}"
        shell:
            LINES


rule criteria:
    input:
        **{name: DATA[name] for name in CRITERIA_INPUTS},
    output:
        criteria=report(
            "results/criteria.json",
            category="criteria",
            labels={"item": "Criteria", "shows": "every criterion and its verdict"},
        ),
    log:
        log_of("paper/criteria"),
    benchmark:
        timing_of("paper/criteria")
    resources:
        **OTHER_JOB,
    params:
        code=code("criteria"),
        settings=settings("criteria"),
    message:
        "Judge every criterion of the protocol"
    shell:
        command("criteria", CRITERIA_INPUTS)


rule viewer:
    input:
        **needs(
            "viewer",
            **{
                name: DATA[name]
                for name in (
                    "expert",
                    "advice",
                    "action_values",
                    "steps",
                    "episodes",
                    "label_episodes",
                    "microtraining",
                    "thresholds",
                )
            },
            examples=[
                DATA["examples"],
                DATA["recovery_examples"],
                *expand("results/phase5/examples/{run}.parquet", run=SELECTIONS),
            ],
            **{
                name: [
                    f"results/{phase}/models/{model}/{file}.parquet"
                    for phase, runs in (
                        ("phase3", [BASE, *TRAINED]),
                        ("phase5", SELECTIONS),
                    )
                    for model in models_of(runs)
                ]
                for name, file in (("played", "episodes"), ("probes", "probes"))
            },
        ),
    output:
        viewer=report(
            directory("results/viewer"),
            htmlindex="index.html",
            category="report",
            labels={"item": "Viewer", "shows": "every snapshot, to browse"},
        ),
    log:
        log_of("paper/viewer"),
    benchmark:
        timing_of("paper/viewer")
    resources:
        **OTHER_JOB,
    params:
        code=code("viewer"),
        settings=settings("viewer", preset=CONFIG.preset, layout=LAYOUT),
    message:
        "Make the page on which snapshots are browsed"
    shell:
        command("viewer")


rule report:
    input:
        **needs(
            "report",
            pictures=[item.files[1] for item in FIGURES.values()],
            listings=[item.files[1] for item in TABLES.values()],
            vectors=[item.files[0] for item in FIGURES.values()],
            sources=[
                item.files[which] for item in TABLES.values() for which in (0, 2)
            ],
            viewer="results/viewer",
        ),
    output:
        html=report(
            "results/report.html",
            category="report",
            labels={"item": "Report", "shows": "all on one page"},
        ),
        markdown="results/report.md",
        archive="results/report.zip",
    log:
        log_of("paper/report"),
    benchmark:
        timing_of("paper/report")
    resources:
        **OTHER_JOB,
    params:
        code=code("report"),
        settings=settings(
            "report",
            libraries=list(WORLD.libraries),
        ),
    message:
        "Write the report"
    shell:
        command("report")


rule figures:
    input:
        [path for item in FIGURES.values() for path in item.files],


rule tables:
    input:
        [path for item in TABLES.values() for path in item.files],


rule minimum_paper:
    input:
        [path for name in MINIMUM["figures"] for path in FIGURES[name].files],
        [path for name in MINIMUM["tables"] for path in TABLES[name].files],
        "results/criteria.json",


localrules:
    criteria,
    viewer,
    report,
    figures,
    tables,
    minimum_paper,
