"""The list of figures and tables: what each shows, what it reads, and what its files are called.

An item's code lives in ``teachable.paper.figures.<id>`` or ``teachable.paper.tables.<id>``, one module each.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One figure or table; ``inputs`` are names in :data:`teachable.paper.INPUTS`."""

    id: str
    hypothesis: str  # H1..H7, appendix, summary
    title: str
    caption: str
    inputs: tuple[str, ...]

    @property
    def number(self) -> str:
        """As the paper numbers it: ``H1.1``, ``A3``, ``Summary``."""
        return self.id.replace("_", ".").upper() if self.id[1].isdigit() else self.id.capitalize()


@dataclass(frozen=True, slots=True)
class Figure(Item):
    """``draw(data) -> matplotlib.figure.Figure`` in :attr:`module`."""

    @property
    def module(self) -> str:
        return f"teachable.paper.figures.{self.id}"

    @property
    def files(self) -> tuple[str, str]:
        """Paths relative to the root of a run: vector and raster."""
        return f"figures/fig_{self.id}.pdf", f"figures/fig_{self.id}.png"


@dataclass(frozen=True, slots=True)
class Table(Item):
    """``make(data) -> polars.DataFrame`` and ``HEADINGS`` in :attr:`module`."""

    @property
    def module(self) -> str:
        return f"teachable.paper.tables.{self.id}"

    @property
    def files(self) -> tuple[str, str]:
        """Paths relative to the root of a run: LaTeX and CSV."""
        return f"tables/tab_{self.id}.tex", f"tables/tab_{self.id}.csv"


_WHISKERS = "Whiskers are the stored 95 % intervals, clustered by game."

FIGURES: dict[str, Figure] = {
    item.id: item
    for item in (
        Figure(
            "h1_1",
            "H1",
            "Uncertainty, leverage and teachability",
            "Each point is a failure snapshot: the student's uncertainty U against its local leverage L_local, "
            "coloured by how much the best patch raises success over the placebo (ELP_net). Shaded corners are the "
            "quadrants cut at the thresholds; the numbers are snapshots in each. The cross is the median standard "
            "error of one L_local.",
            ("labeled", "thresholds"),
        ),
        Figure(
            "h1_2",
            "H1",
            "Teachability by quadrant",
            "ELP_net of every snapshot and its mean by quadrant. The filled mark is the protocol's estimate, the "
            f"hollow one corrects for taking a maximum over noisy formats. {_WHISKERS}",
            ("labeled", "label_metrics"),
        ),
        Figure(
            "h1_3",
            "H1",
            "Which format helps where",
            "Share of snapshots whose best format (route) is a demonstration, a contrast or a hint, by quadrant. The "
            f"dashed line is one third. {_WHISKERS}",
            ("labeled", "label_metrics"),
        ),
        Figure(
            "h1_4",
            "H1",
            "What the expert could do, and what one action does",
            "Upper leverage (expert to the end) against local leverage (one expert action, then the student). On the "
            "diagonal one action suffices; shaded are the profiles of the protocol, with their share of snapshots "
            "and its 95 % interval.",
            ("labeled", "label_metrics"),
        ),
        Figure(
            "h1_5",
            "H1",
            "Four cases",
            "The most teachable snapshot of each quadrant: what the student saw and did, what the expert does, and "
            "success from there under each condition (bars: plus and minus one stored standard error).",
            ("labeled", "advice"),
        ),
        Figure(
            "h1_6",
            "H1",
            "Where failures are decided",
            "Labels by the distance to the deciding decision: the last one from which the task could still be won, "
            f"where the world can tell, else the last of the episode. {_WHISKERS}",
            ("label_metrics",),
        ),
        Figure(
            "h2_1",
            "H2",
            "The patch test predicts what training does",
            "ELP_net of a snapshot against the change in success after one or two gradient steps on its example. The "
            "line is the running mean of equal-sized bins; correlations with 95 % intervals clustered by game.",
            ("microtraining", "cpt_correlation"),
        ),
        Figure(
            "h2_2",
            "H2",
            "The patch test by quadrant",
            "Left: Spearman correlation of ELP_net with the training effect in each quadrant. Right: mean training "
            f"effect (utility). {_WHISKERS}",
            ("cpt_correlation",),
        ),
        Figure(
            "h3_1",
            "H3",
            "Supervision format by quadrant",
            "Change in success on held-out failures of the quadrant a run was trained on, by format. Below each "
            "number its 95 % interval, clustered by game; a dot where it excludes 0; framed is the best format of "
            "the quadrant.",
            ("transfer",),
        ),
        Figure(
            "h3_2",
            "H3",
            "Contrast and hint against demonstration",
            "Paired difference in success between runs of the same quadrant trained with another format and with "
            f"demonstrations, on the quadrant's held-out failures. Hollow where 0 is inside. {_WHISKERS}",
            ("contrasts",),
        ),
        Figure(
            "h4_1",
            "H4",
            "Transfer between quadrants",
            "Change in success on held-out failures of each quadrant (columns) after training on each quadrant "
            "(rows), mean over formats. Below each number its 95 % interval, clustered by game; a dot where it "
            "excludes 0.",
            ("transfer",),
        ),
        Figure(
            "h4_2",
            "H4",
            "Matched against mismatched training",
            "Left: every cell of the transfer matrix, trained and evaluated on the same quadrant or not. Right: "
            "diagonal minus off-diagonal, paired; the grey range is where it lies in 95 of 100 cases when the quadrant "
            f"labels of the same held-out snapshots are permuted. {_WHISKERS}",
            ("transfer", "contrasts"),
        ),
        Figure(
            "h5_1",
            "H5",
            "Gains from failure states",
            "Paired change in success from the failure panel against the base student, every run. Hollow where 0 is "
            f"inside. {_WHISKERS}",
            ("contrasts",),
        ),
        Figure(
            "h5_2",
            "H5",
            "Retention during training",
            "Success on tasks that the base student wins, at the first, middle and last checkpoint. The dashed line "
            f"is 10 points below the base student. {_WHISKERS}",
            ("checkpoints",),
        ),
        Figure(
            "h5_3",
            "H5",
            "Reliability against forgetting",
            "Each run's paired change in success from failure states against its change on tasks the base student "
            "wins. Colour: quadrant; marker: format. The steps are the Pareto frontier; right of the dashed line "
            f"less than 10 points are forgotten. {_WHISKERS}",
            ("contrasts",),
        ),
        Figure(
            "h5_4",
            "H5",
            "Stuckness",
            f"How runs get stuck on test tasks, against the base student (line and band). {_WHISKERS}",
            ("metrics",),
        ),
        Figure(
            "h6_1",
            "H6",
            "Ranking snapshots by teachability",
            "NDCG@k and Precision@k of held-out rankings by ELP_net, split by game. The band is the stored 95 % "
            "interval, clustered by game, of the predictor and of entropy.",
            ("predictor_metrics",),
        ),
        Figure(
            "h6_2",
            "H6",
            "Calibration of the predictor",
            f"Mean observed against mean predicted value in bins of the prediction. {_WHISKERS}",
            ("calibration",),
        ),
        Figure(
            "h6_3",
            "H6",
            "What the predictor uses",
            "Left: held-out rank correlation with each target by feature tier. Right: what NDCG@k of ELP_net loses "
            f"when a group of features is shuffled. {_WHISKERS}",
            ("predictor_metrics", "importance"),
        ),
        Figure(
            "h6_4",
            "H6",
            "Labels needed",
            f"Ranking quality of ELP_net against the number of labelled snapshots for training. {_WHISKERS}",
            ("predictor_metrics",),
        ),
        Figure(
            "h6_5",
            "H6",
            "Teachability drifts as the student learns",
            "The patch test repeated at checkpoints on the same snapshots: mean ELP_net, rank correlation with the "
            f"base student's ELP_net, and share of snapshots that keep their format. {_WHISKERS}",
            ("drift_metrics",),
        ),
        Figure(
            "h7_1",
            "H7",
            "Choosing what to teach at a fixed budget",
            "Change of success by training on k snapshots chosen by each method, all as plain demonstrations, against "
            "replay alone (against the base student where nothing is replayed); dashed and hollow: the diverse "
            f"variants. {_WHISKERS}",
            ("selection_contrasts",),
        ),
        Figure(
            "h7_2",
            "H7",
            "Selection: reliability against forgetting",
            "Success from failure states against success on tasks that the base student wins, one run per selection "
            f"method at the smallest k. The steps are the Pareto frontier. {_WHISKERS}",
            ("selection_metrics",),
        ),
        Figure(
            "a1",
            "appendix",
            "Placebo control",
            "Mean change in success over the unpatched context of a content-free patch and of each format, by "
            f"quadrant. The band is plus and minus 0.05. {_WHISKERS}",
            ("label_metrics",),
        ),
        Figure(
            "a2",
            "appendix",
            "One snapshot, three kinds of supervision",
            "The prompt and completion that the same snapshot gives in each format, as trained on (long prompts are "
            "cut in the middle, marked by an ellipsis).",
            ("examples",),
        ),
        Figure(
            "a3",
            "appendix",
            "Leverage profiles",
            f"Share of leverage profiles by quadrant, and of each profile by depth of recovery. {_WHISKERS}",
            ("labeled", "label_metrics"),
        ),
        Figure(
            "a4",
            "appendix",
            "Drift of routes",
            "Best format of the same snapshots at successive checkpoints; bands are counts of snapshots. Grey: no "
            "format beats the placebo.",
            ("drift",),
        ),
        Figure(
            "a5",
            "appendix",
            "What changes inside",
            "Above: measures of mechanism for every run, with the base student (line and band) and chance "
            "(dashed). Below: by quadrant "
            f"of the snapshot, base against the run trained on demonstrations of that quadrant. {_WHISKERS}",
            ("mechanistic",),
        ),
        Figure(
            "thresholds",
            "appendix",
            "Where the quadrants are cut",
            "Distributions of U and L_local with their thresholds, the snapshots in the plane, and quantiles of both.",
            ("labeled", "thresholds"),
        ),
        Figure(
            "summary",
            "summary",
            "The study in six panels",
            "Where failures lie and which are teachable (a), that the patch test predicts training (b), formats by "
            "quadrant (c), transfer (d), reliability against forgetting (e), and selection at a fixed budget (f). "
            "Intervals as in the figures of each hypothesis.",
            (
                "labeled",
                "thresholds",
                "microtraining",
                "cpt_correlation",
                "transfer",
                "contrasts",
                "selection_contrasts",
            ),
        ),
    )
}

TABLES: dict[str, Table] = {
    item.id: item
    for item in (
        Table(
            "h1_1",
            "H1",
            "Quadrants",
            "Snapshots, games and mean labels by quadrant, with 95 % intervals clustered by game. Route is the most "
            "common best format.",
            ("labeled", "thresholds", "label_metrics"),
        ),
        Table(
            "h1_2",
            "H1",
            "Correlations of the labels",
            "Spearman correlations between uncertainty, leverage and teachability, with 95 % intervals "
            "clustered by game.",
            ("label_metrics",),
        ),
        Table(
            "h1_3",
            "H1",
            "Labels by distance",
            "Uncertainty, leverage and teachability of failure snapshots by their distance to the deciding decision, "
            "and how often the student's likeliest command is what the teacher suggests, with 95 % intervals "
            "clustered by game.",
            ("label_metrics",),
        ),
        Table(
            "h1_4",
            "H1",
            "Skills that the failures lack",
            "Snapshots by quadrant and by the skill of the expert's command there, with its share of the quadrant (95 "
            "% interval clustered by game) and of all snapshots. Planted are skills that the built-in student's "
            "demonstrator lacks: a habit (wrong and sure of it) should fill Q4, a dithering (unsure) Q1 and Q2. A "
            "pretrained student has none planted.",
            ("skills",),
        ),
        Table(
            "h2_1",
            "H2",
            "Patch test and micro-training",
            "Correlation of ELP_net with the change in success after micro-training, beside that of local leverage, "
            "with 95 % intervals clustered by game.",
            ("cpt_correlation",),
        ),
        Table(
            "h2_2",
            "H2",
            "Placebo checks",
            "Mean gain of the content-free patch and of each format over the unpatched context and over the placebo, "
            "with 95 % intervals clustered by game.",
            ("label_metrics", "cpt_correlation"),
        ),
        Table(
            "h3_1",
            "H3",
            "Best format by quadrant",
            "Change in success on the quadrant's held-out failures for the best format and for demonstrations, and "
            "their paired difference; p-values with Holm's correction.",
            ("transfer", "contrasts"),
        ),
        Table(
            "h3_2",
            "H3",
            "Budget parity",
            "Examples and tokens of every run, and the difference to the target number of examples.",
            ("budget",),
        ),
        Table(
            "h4_1",
            "H4",
            "Transfer matrix",
            "Change in success on each quadrant (columns) after training on each (rows), mean over formats, with 95 "
            "% intervals clustered by game.",
            ("transfer",),
        ),
        Table(
            "h4_2",
            "H4",
            "Diagonal minus off-diagonal",
            "Paired difference between matched and mismatched training, over the mean of formats and for each format; "
            "beside the first its mean and 95 % range when quadrant labels are permuted over the same held-out "
            "snapshots, with the p-value of that test (the trained models stay as they are).",
            ("contrasts",),
        ),
        Table(
            "h5_1",
            "H5",
            "Main results",
            "Success on test tasks, from failure states and on retention tasks, and paired change against the base "
            "student, with 95 % intervals clustered by game.",
            ("metrics", "contrasts"),
        ),
        Table(
            "h6_1",
            "H6",
            "Predictor",
            "Held-out quality of the teachability predictor and its rivals, split by game, with 95 % intervals.",
            ("predictor_metrics",),
        ),
        Table(
            "h6_2",
            "H6",
            "Cost of a label",
            "What ranking one snapshot of the pool costs by each method, beside the quality it buys.",
            ("cost",),
        ),
        Table(
            "h7_1",
            "H7",
            "Selection at a fixed budget",
            "Success of one run per selection method and k, and its paired change against replay alone, random "
            "selection, entropy and, for a diverse variant, the plain one of the same k, with 95 % intervals clustered "
            "by game.",
            ("selection_metrics", "selection_contrasts"),
        ),
        Table(
            "h7_2",
            "H7",
            "What was chosen",
            "Snapshots chosen by each selection method, by quadrant, and the skills of the actions they teach; random "
            "selection as the mean of its draws.",
            ("selection", "labeled"),
        ),
        Table(
            "summary",
            "summary",
            "Criteria",
            "Every criterion of the protocol with its estimate, 95 % interval and threshold.",
            ("criteria",),
        ),
    )
}

CRITERIA_INPUTS: tuple[str, ...] = (
    "restore_check",
    "thresholds",
    "label_metrics",
    "cpt_correlation",
    "training_summary",
    "metrics",
    "contrasts",
    "predictor_metrics",
    "selection_contrasts",
)
"""What :func:`teachable.paper.criteria.criteria` reads."""

MINIMUM: dict[str, tuple[str, ...]] = {
    "figures": ("h1_1", "h2_1", "h3_1", "h4_1", "h5_3", "h6_1", "h7_1"),
    "tables": ("h1_1", "h2_1", "h5_1"),
}
"""The minimum paper."""
