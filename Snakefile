"""Teachable Moments: from student rollouts to the paper, one phase a file.

snakemake --cores 2                         preset laptop, everything
snakemake --profile slurm --config preset=paper
snakemake figures -n                        what a partial rebuild would do
"""

from snakemake.utils import min_version

min_version("9.27")


include: "rules/common.smk"
include: "rules/student.smk"
include: "rules/gather.smk"
include: "rules/phase0.smk"
include: "rules/phase1.smk"
include: "rules/phase1b.smk"
include: "rules/phase2.smk"
include: "rules/phase3.smk"
include: "rules/phase4.smk"
include: "rules/phase5.smk"
include: "rules/paper.smk"


rule all:
    default_target: True
    input:
        rules.phase0.input,
        rules.phase1.input,
        rules.phase1b.input,
        rules.phase2.input,
        rules.phase3.input,
        rules.phase4.input,
        rules.phase5.input,
        rules.figures.input,
        rules.tables.input,
        rules.criteria.input,
        rules.report.output,


localrules:
    all,
