"""The paper: one rule a figure, one rule a table, the criteria and the report.

Needs: the tables of all phases. Makes: figures/fig_*.pdf|png, tables/tab_*.tex|csv, results/criteria.json,
results/report.html and report.md.
"""

from teachable.paper import FIGURES, INPUTS, MINIMUM_FIGURES, MINIMUM_TABLES, TABLES

# The names by which figures, tables, criteria and report ask for data, and where it lies.
DATA = {name: f"results/{item.path}" for name, item in INPUTS.items()}


def read_by(stage, names):
    """The shell line of a stage whose inputs differ from item to item."""
    return command(stage).replace("--in ", "").replace(
        f"teachable {stage}", f"teachable {stage} --in " + " ".join(f"{name}={{input.{name}}}" for name in names)
    )


for item in FIGURES.values():

    rule:
        name:
            f"fig_{item.id}"
        message:
            f"Draw Fig. {item.label}: {item.title}"
        input:
            **{name: DATA[name] for name in item.inputs},
        output:
            pdf=f"figures/fig_{item.id}.pdf",
            png=report(f"figures/fig_{item.id}.png", caption="../docs/report/caption.rst", category=item.hypothesis),
        params:
            code=code("figure", item=item.id),
            settings=settings("figure", item=item.id),
            title=item.title,
            caption=item.caption,
        log:
            f"logs/paper/fig_{item.id}.log",
        benchmark:
            f"results/benchmarks/paper/fig_{item.id}.tsv"
        resources:
            **OTHER_JOB,
        shell:
            read_by("figure", item.inputs)


for item in TABLES.values():

    rule:
        name:
            f"tab_{item.id}"
        message:
            f"Make Tab. {item.label}: {item.title}"
        input:
            **{name: DATA[name] for name in item.inputs},
        output:
            tex=f"tables/tab_{item.id}.tex",
            csv=report(f"tables/tab_{item.id}.csv", caption="../docs/report/caption.rst", category=item.hypothesis),
        params:
            code=code("table", item=item.id),
            settings=settings("table", item=item.id),
            title=item.title,
            caption=item.caption,
        log:
            f"logs/paper/tab_{item.id}.log",
        benchmark:
            f"results/benchmarks/paper/tab_{item.id}.tsv"
        resources:
            **OTHER_JOB,
        shell:
            read_by("table", item.inputs)
