"""Teachable Moments: from student rollouts to the paper, one phase a file.

snakemake --cores 2                         preset laptop, everything
snakemake --profile slurm --config preset=paper
snakemake -n figures                        what a partial rebuild would do
"""

from snakemake.utils import min_version

min_version("9.27")


include: "rules/common.smk"
include: "rules/student.smk"
include: "rules/concat.smk"
include: "rules/phase0.smk"
include: "rules/phase1.smk"
include: "rules/labels.smk"
include: "rules/phase1b.smk"
include: "rules/models.smk"
include: "rules/phase2.smk"
include: "rules/phase3.smk"
include: "rules/phase4.smk"
include: "rules/phase5.smk"
include: "rules/paper.smk"


report: "docs/report/workflow.rst"


onstart:
    try:
        keep_preset(KEPT, CONFIG.preset)
        if workflow.is_main_process:
            FOLLOWERS.extend(begin(workflow, CONFIG, logger))
    except TeachableError as error:
        raise WorkflowError(str(error)) from None
    # -F and -R ask for computing, not for the store. A cluster's executor sees to that job by job; elsewhere the
    # stages must know.
    if workflow.local_exec and (
        workflow.dag_settings.forceall or workflow.dag_settings.forcerun
    ):
        os.environ.update(TEACHABLE_STORE_REFRESH="1")


onerror:
    for follower in FOLLOWERS:
        follower.detach()


onsuccess:
    for follower in FOLLOWERS:
        follower.detach()
    if workflow.is_main_process:
        for line in (
            *closing(KEPT.parent, STARTED),
            tokens(Path("logs"), KEPT.parent),
            took(FOLLOWERS, STARTED),
        ):
            if line:
                logger.info(line)


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
    message:
        "The whole workflow is done"


localrules:
    all,
