"""Simulated worlds and students with a known truth, as the tables that the workflow would have written.

No game is played and nothing is trained: chances of success are drawn, and from them the tables. A game has a
leaning (which kind of gap it shows) and a level; a snapshot is of a kind Q1 to Q4 and has a few commands with chances
of success ``V(a)``, a policy under each condition, and with them true leverage and teachability. The noise of labels
is that of the preset's estimator: binomial at its episodes (Monte Carlo), or a small error of ``V(a)`` that all
conditions share (tree). A trained model changes the chance from a start by its gain, and deviates at random by game,
by training, by training and quadrant, and by training and game; the luck of a slot is alike for all models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import stats as distributions

from teachable import tables
from teachable.config import Config
from teachable.config.model import Labels, Panels
from teachable.terms import BASE, FORMATS, QUADRANTS, cell_name, selection_name

COMMANDS = 6
METHODS = ("random", "entropy", "predictor", "predictor_diverse", "oracle", "oracle_diverse")
SUCCESS = (1.2, 1.0)  # Beta of a game's chance under the base student: .55 on average, wide
TREE_ERROR = 0.04  # standard error of one V(a); about what 24 prompts and 24 episodes leave
# Standard deviations of a trained model's deviation, in success probability.
BY_GAME, BY_TRAINING, BY_QUADRANT, BY_BOTH = 0.10, 0.03, 0.03, 0.05
ODD, NUDGE = 0.05, 0.2  # of V(a) for no reason; of the log-probability of a command under any other text
ALIKE = 0.3  # correlation of the luck of two models in the same slot, trained with the same seed


@dataclass(frozen=True, slots=True)
class Size:
    """How large a study is: read from a preset, but for what only playing could tell."""

    preset: str
    monte_carlo: bool
    games: int  # training games with a failure: from tasks.train and rollouts, at the success rate above
    snapshots: int
    tests: int  # test games
    episodes: Mapping[str, int]  # of policy, force and each condition
    labels: Labels
    panels: Panels
    repeats: Mapping[str, int]
    seeds: int
    weight: float  # of the snapshot in delta_micro
    similar: int
    k: int  # smallest of selection
    rank_k: int  # middle of the predictor's

    @classmethod
    def of(cls, config: Config, preset: str) -> Size:
        """The sizes of ``config``."""
        played, each = sum(config.tasks.train.values()), config.rollouts.episodes_per_task
        a, b = SUCCESS
        always = float(np.prod([(a + r) / (a + b + r) for r in range(each)]))  # every episode is won
        failures = played * each * b / (a + b)
        episodes = config.estimation
        snapshots = int(min(config.snapshots.max_snapshots, failures * config.snapshots.per_episode))
        ranks = [k for k in sorted(config.predictor.k) if k <= snapshots]
        return cls(
            preset,
            config.estimation.estimator == "monte_carlo",
            round(played * (1 - always)),
            snapshots,
            sum(config.tasks.test.values()),
            {"policy": episodes.policy_episodes, "force": episodes.force_episodes}
            | dict.fromkeys(("base", "placebo", *FORMATS), episodes.condition_episodes),
            config.labels,
            config.panels,
            {
                "test": config.evaluation.test_repeats,
                "failure": config.evaluation.failure_repeats,
                "retention": config.evaluation.retention_repeats,
            },
            config.training.seeds,
            config.microtraining.snapshot_weight,
            config.microtraining.similar_tasks,
            min(config.selection.k),
            ranks[len(ranks) // 2],
        )


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true in a simulated world; the default is that nothing is."""

    name: str = "nothing"
    leverage: float = 0.0  # V(right) - V(wrong) in Q1 and Q4
    dead_ends: bool = False  # low leverage is where nothing wins, not where everything does
    uncertainty: float = 1.0  # how differently sure the student is in Q1, Q2 and in Q3, Q4
    patch: float = 0.0  # share of the wrong commands' probability that the best patch moves to the right one
    by_teachability: float = 0.0  # change of success by one tiny training, per unit of true ELP
    by_leverage: float = 0.0  # the same per unit of true L_local
    gain: float = 0.0  # of every run with real examples
    random_gain: float = 0.0  # of C_random
    q1_extra: float = 0.0  # further gain on Q1 of every run
    diagonal: float = 0.0  # further gain on the quadrant trained on
    best: float = 0.0  # further gain of contrast over demo in Q1 and of hint in Q2
    forgotten: float = 0.0  # drop of retention of every run
    more_forgotten: float = 0.0  # further drop of the predictor's selection
    predictor: float = 0.0  # correlation of the predictor's scores with ELP
    entropy: float = 0.0
    choice: float = 0.0  # gain of a better choice: entropy, predictor, oracle one, two, three times that over random
    chosen: float = 0.0  # gain of every selection run


def planted(size: float) -> Truth:
    """A world in which every hypothesis holds, ``size`` times as strongly as was once measured."""
    return Truth(
        f"planted x {size:g}",
        leverage=min(0.85, 0.6 * size),
        patch=min(0.9, 0.5 * size),
        by_teachability=0.6 * size,
        by_leverage=0.1 * size,
        gain=0.15 * size,
        q1_extra=0.10 * size,
        diagonal=0.10 * size,
        best=0.10 * size,
        predictor=min(0.9, 0.6 * size),
        entropy=0.2 * size,
        choice=0.04 * size,
        chosen=0.08 * size,
    )


NOTHING = Truth()
# Everything there is to see is not what the criteria ask for: all runs gain alike, random answers too; what
# training a snapshot does follows from its leverage alone; all scores rank alike; retention falls by the limit.
UNSPECIFIC = Truth(
    "unspecific",
    leverage=0.5,
    patch=0.4,
    by_leverage=0.5,
    gain=0.15,
    random_gain=0.15,
    forgotten=0.10,
    more_forgotten=0.05,
    predictor=0.4,
    entropy=0.4,
    chosen=0.10,
)
# Patches do nothing and low leverage lies where all is lost.
DEAD_ENDS = Truth("dead ends", leverage=0.5, dead_ends=True)


@dataclass(frozen=True, slots=True)
class Latent:
    frame: pl.DataFrame  # snapshot_id, task_id, kind and true values
    values: np.ndarray  # [N, COMMANDS] V(a); the last command is the right one
    policies: Mapping[str, np.ndarray]  # condition -> [N, COMMANDS]


def draw(size: Size, truth: Truth, rng: np.random.Generator) -> Latent:
    count = size.snapshots
    games = np.concatenate([np.arange(size.games), rng.integers(0, size.games, max(0, count - size.games))])[:count]
    games.sort()
    leaning = rng.dirichlet(np.full(4, 0.7), size.games)[games]
    kind = (leaning.cumsum(1) < rng.random((count, 1))).sum(1).clip(0, 3)
    high_u, high_l = kind <= 1, (kind == 0) | (kind == 3)
    level = rng.normal(0, 0.6, size.games)[games] + rng.normal(0, 0.5, count)

    def chance(centre: np.ndarray, spread: float) -> np.ndarray:
        return distributions.logistic.cdf(distributions.logistic.ppf(centre) + spread * level)

    wrong = np.where(high_l, 0.12, np.where(truth.dead_ends, 0.03, 0.45))
    wrong = np.full(count, 0.3) if truth.leverage == 0 else wrong
    wrong = chance(wrong, 1.0)
    right = np.where(high_l, np.minimum(0.97, wrong + truth.leverage * rng.beta(6, 2, count) / 0.75), wrong)
    values = np.repeat(wrong[:, None], COMMANDS, axis=1)
    values[:, -1] = right
    values = (values + rng.normal(0, ODD, values.shape)).clip(0.001, 0.999)
    sharp = np.where(high_u, 1.0, 1.0 + 2.5 * truth.uncertainty)
    score = sharp[:, None] * rng.normal(0, 0.8, (count, COMMANDS))
    score[:, 0] += np.where(high_u, 0.5, 3.0 * truth.uncertainty)
    score[:, -1] -= np.where(high_l, 1.0, 0.0)
    base = np.exp(score - score.max(1, keepdims=True))
    base /= base.sum(1, keepdims=True)
    policies = {"base": base}
    for name in ("placebo", *FORMATS):  # any text moves a little, in no direction
        moved = base * np.exp(rng.normal(0, NUDGE, base.shape))
        policies[name] = moved / moved.sum(1, keepdims=True)
    taught = rng.beta(1.2, 1.2, count) if truth.patch else np.zeros(count)  # how teachable this snapshot is
    for place, name in enumerate(FORMATS):
        share = truth.patch * np.clip(taught * rng.uniform(0.6, 1.2, count) * (1 - 0.15 * place), 0, 1)
        policies[name] = policies[name] * (1 - share[:, None])
        policies[name][:, -1] += share
    means = {f"true_p_{name}": (pi * values).sum(1) for name, pi in policies.items()}
    net = np.stack([means[f"true_p_{name}"] - means["true_p_placebo"] for name in FORMATS], axis=1)
    frame = pl.DataFrame(
        {
            "snapshot_id": [f"g{g:04d}/s{i:05d}" for i, g in enumerate(games)],
            "true_kind": np.array(QUADRANTS)[kind],
            "true_L_local": values[:, -1] - means["true_p_base"],
            "true_ELP": net.max(1),
            "true_net_mean": net.mean(1),
            "true_placebo_gain": means["true_p_placebo"] - means["true_p_base"],
            "true_p_policy": means["true_p_base"],
            "true_p_force": values[:, -1],
        }
    )
    return Latent(frame, values, policies)


def label_tables(
    size: Size, latent: Latent, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """SNAPSHOTS, ADVICE and ESTIMATES as the workflow would have them."""
    ids = latent.frame["snapshot_id"]
    count = len(ids)
    commands = [f"command {c}" for c in range(COMMANDS)]
    logp = np.log(latent.policies["base"])
    snapshots = _fill(
        {
            "snapshot_id": ids,
            "task_id": ids.str.head(5),
            "source": ["student"] * count,
            "kind": ["failure"] * count,
            "episode_id": ids,
            "step": np.ones(count, dtype=np.int64),
            "commands": [commands] * count,
            "logp": logp.tolist(),
            "student_action": np.array(commands)[latent.policies["base"].argmax(1)],
        },
        tables.SNAPSHOTS,
    )
    advice = _fill(
        {
            "snapshot_id": ids,
            "suggested_action": [commands[-1]] * count,
            "valid": [True] * count,
            "expert_action": [commands[-1]] * count,
        },
        tables.ADVICE,
    )
    forced = np.eye(COMMANDS)[-1]
    policies = {"policy": latent.policies["base"], "force": np.broadcast_to(forced, latent.values.shape)}
    policies |= latent.policies
    noisy = (latent.values + TREE_ERROR * rng.normal(size=latent.values.shape)).clip(0, 1)
    made: dict[str, tuple[np.ndarray, np.ndarray, int]] = {}
    for name, pi in policies.items():
        if size.monte_carlo:
            n = size.episodes[name]
            wins = rng.binomial(n, (pi * latent.values).sum(1).clip(0, 1))
            q = (wins + 1) / (n + 2)  # as rollouts.monte_carlo has it
            made[name] = (wins / n, np.sqrt(q * (1 - q) / n), n)
        else:
            made[name] = ((pi * noisy).sum(1), TREE_ERROR * np.sqrt((pi**2).sum(1)), 24)
    made["expert"] = (np.ones(count), np.zeros(count), 1)
    rows = []
    reference = dict.fromkeys(FORMATS, "placebo") | {"force": "policy", "expert": "policy"}
    for name, (value, error, n) in made.items():
        net = None
        if name in reference:
            net = np.hypot(error, made[reference[name]][1])
            if not size.monte_carlo and name != "expert":
                net = TREE_ERROR * np.sqrt(((policies[name] - policies[reference[name]]) ** 2).sum(1))
        rows.append(
            pl.DataFrame({"snapshot_id": ids, "value": value, "se": error}).with_columns(
                quantity=pl.lit(f"p_{name}"),
                n=pl.lit(n, pl.Int64),
                estimator=pl.lit("monte_carlo" if size.monte_carlo else "tree"),
                gap=pl.lit(None, pl.Float64),
                net_se=pl.lit(None, pl.Float64) if net is None else pl.Series(net),
            )
        )
    return snapshots, advice, tables.conform(pl.concat(rows), tables.ESTIMATES)


def _fill(columns: Mapping[str, Any], schema: tables.Table) -> pl.DataFrame:
    """``columns`` as a table of ``schema``; what is not given is null, or empty where null may not be."""
    frame = pl.DataFrame(dict(columns))

    def value(name: str, what: tables.Column) -> pl.Expr:
        if name in columns:
            return pl.col(name)
        if what.null:
            return pl.lit(None)
        if isinstance(what.dtype, pl.List):
            return pl.lit(pl.Series([[]], dtype=what.dtype)).first()
        return pl.lit((what.among[0] if what.among else "") if what.dtype == tables.TEXT else 0)

    return frame.select(value(name, what).cast(what.dtype).alias(name) for name, what in schema.columns.items())


def microtraining(
    size: Size, truth: Truth, known: pl.DataFrame, panels: pl.DataFrame, rng: np.random.Generator
) -> pl.DataFrame:
    """MICROTRAINING of the validation panel: before and after are measured anew."""
    chosen = panels.filter(pl.col("panel") == "validation").select("snapshot_id")
    rows = chosen.join(known, on="snapshot_id", how="left").sort("snapshot_id")
    count = len(rows)
    codes = np.unique(rows["task_id"].to_numpy(), return_inverse=True)[1]
    change = truth.by_teachability * rows["true_ELP"].to_numpy() + truth.by_leverage * rows["true_L_local"].to_numpy()
    change = change + rng.normal(0, 0.05, codes.max() + 1)[codes] + rng.normal(0, 0.07, count)
    before = rows["true_p_policy"].to_numpy()
    after = (before + change).clip(0, 1)

    def seen(chance: np.ndarray, n: int, exact: bool) -> np.ndarray:
        noisy = chance + 0.5 * TREE_ERROR * rng.normal(size=count)
        return np.asarray(noisy.clip(0, 1) if exact else rng.binomial(n, chance) / n)

    measured = [seen(p, size.episodes["policy"], not size.monte_carlo) for p in (before, after)]
    elsewhere = [seen(p.clip(0, 1), max(1, size.similar), False) for p in (0.5 + 0 * change, 0.5 + 0.5 * change)]
    here, there = measured[1] - measured[0], elsewhere[1] - elsewhere[0]
    return _fill(
        {
            **{c: rows[c] for c in ("snapshot_id", "task_id", "quadrant", "ELP_net", "L_local")},
            "before": measured[0],
            "after": measured[1],
            "delta_snapshot": here,
            "delta_similar": there,
            "delta_micro": size.weight * here + (1 - size.weight) * there,
        },
        tables.MICROTRAINING,
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """True chances behind the episodes of a panel, without the luck of single episodes.

    ``chance[starts, models]`` is over trainings, ``trained`` what these trainings add to a model by quadrant
    ``[models, 4]``.
    """

    models: Sequence[str]
    chance: Mapping[str, np.ndarray]
    quadrant: Mapping[str, np.ndarray]
    trained: np.ndarray

    def mean(self, model: str, panel: str, group: str = "all") -> float:
        rows = self._rows(panel, group)
        return float(self.chance[panel][rows, self.models.index(model)].mean())

    def here(self, model: str, panel: str, group: str = "all") -> float:
        """What these trainings of ``model`` add."""
        own = self.trained[self.models.index(model)]
        quadrants = self.quadrant[panel][self._rows(panel, group)]
        return float(own[0] + (own[1 + quadrants].mean() if panel == "failure" else 0.0))

    def _rows(self, panel: str, group: str) -> np.ndarray:
        codes = self.quadrant[panel]
        return np.ones(len(codes), dtype=bool) if group not in QUADRANTS else codes == QUADRANTS.index(group)


def _gains(truth: Truth, size: Size) -> dict[str, np.ndarray]:
    """Gain of every model on the failure panel by quadrant ``[4]``."""
    extra = np.array([truth.q1_extra, 0.0, 0.0, 0.0])
    gains = {BASE: np.zeros(4), "C_replay": np.zeros(4), "C_random": np.full(4, truth.random_gain)}
    for run in ("B1_uniform", "B2_all", "recovery"):
        gains[run] = truth.gain + extra
    for i, quadrant in enumerate(QUADRANTS):
        for format_ in FORMATS:
            best = truth.best * ((quadrant, format_) in (("Q1", "contrast"), ("Q2", "hint")))
            gains[cell_name(quadrant, format_)] = truth.gain + best + truth.diagonal * (np.arange(4) == i) + extra
    better = {"random": 0, "entropy": 1, "predictor": 2, "predictor_diverse": 3, "oracle": 3, "oracle_diverse": 4}
    for method in METHODS:
        gains[selection_name(method, size.k)] = np.full(4, truth.chosen + truth.choice * better[method])
    return gains


def episodes(
    size: Size, truth: Truth, known: pl.DataFrame, panels: pl.DataFrame, rng: np.random.Generator
) -> tuple[pl.DataFrame, Expected]:
    """EPISODES of base, the fourteen, controls, recovery and selection at one k, and the truth behind them."""
    gains = _gains(truth, size)
    models = list(gains)
    trained = np.array([model != BASE for model in models])
    common = rng.normal(0, BY_TRAINING, (size.seeds, len(models))) * trained
    special = rng.normal(0, BY_QUADRANT, (size.seeds, len(models), 4)) * trained[:, None]
    chosen = panels.filter(pl.col("panel") == "failure").select("snapshot_id", "quadrant")
    failures = chosen.join(known.drop("quadrant"), on="snapshot_id", how="left").sort("snapshot_id")
    parts, chances, quadrants = [], {}, {}
    for panel in ("failure", "test", "retention"):
        if panel == "failure":
            tasks = failures["task_id"].to_list()
            snapshots: list[str | None] = failures["snapshot_id"].to_list()
            start = 0.1 + 0.6 * failures["true_p_policy"].to_numpy()
            codes = failures["quadrant"].replace_strict({q: i for i, q in enumerate(QUADRANTS)}).to_numpy()
            change = np.stack([gains[model] for model in models], axis=1)[codes]  # [starts, models]
            special_here = special[:, :, codes]  # [seeds, models, starts]
        else:
            number = size.tests if panel == "test" else size.panels.retention
            tasks, snapshots = [f"{panel}{i:04d}" for i in range(number)], [None] * number
            start = rng.beta(*(SUCCESS if panel == "test" else (8.5, 1.5)), number)
            codes = np.zeros(number, dtype=np.int64)
            gain = np.array([gains[model].mean() / 2 for model in models])
            drop = truth.forgotten * trained
            drop[models.index(selection_name("predictor", size.k))] += truth.more_forgotten
            change = np.broadcast_to(gain if panel == "test" else -drop, (number, len(models)))
            special_here = np.zeros((size.seeds, len(models), number))
        game = np.unique(tasks, return_inverse=True)[1]
        games = game.max() + 1
        shift = rng.normal(0, BY_GAME, (games, len(models)))[game] * trained
        expected = (start[:, None] + change + shift).clip(0.005, 0.995)
        both = rng.normal(0, BY_BOTH, (size.seeds, len(models), games))[:, :, game] * trained[:, None]
        chance = (expected.T[None] + common[:, :, None] + special_here + both).clip(0, 1)  # [seeds, models, starts]
        repeats = size.repeats[panel]
        luck = np.sqrt(ALIKE) * rng.normal(size=(size.seeds, 1, len(tasks), repeats)) + np.sqrt(1 - ALIKE) * rng.normal(
            size=(size.seeds, len(models), len(tasks), repeats)
        )
        won = luck < distributions.norm.ppf(chance.clip(1e-6, 1 - 1e-6))[..., None]
        s, m, i, r = (index.ravel() for index in np.indices(won.shape))
        steps = rng.integers(4, 16, len(s))
        parts.append(
            _fill(
                {
                    "task_id": np.array(tasks)[i],
                    "snapshot_id": pl.Series(snapshots, dtype=pl.String).gather(i),
                    "model": np.array(models)[m],
                    "train_seed": s + 1,
                    "behaviour": np.full(len(s), "student"),
                    "panel": np.full(len(s), panel),
                    "repeat": r,
                    "greedy": np.zeros(len(s), dtype=bool),
                    "seed": (i * repeats + r) * size.seeds + s,
                    "steps": steps,
                    "success": won[s, m, i, r],
                    "repeats": rng.binomial(steps, 0.1 + 0.3 * rng.random(games)[game][i]),
                    "loops": np.zeros(len(s), dtype=np.int64),
                    "wasted": np.zeros(len(s), dtype=np.int64),
                    "escape": np.zeros(len(s), dtype=np.int64),
                },
                tables.EPISODES,
            )
        )
        chances[panel], quadrants[panel] = expected, codes
    seen = np.stack([common.mean(0), *special.mean(0).T], axis=1)
    return pl.concat(parts), Expected(models, chances, quadrants, seen)


def predictions(truth: Truth, labeled: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """PREDICTIONS whose scores correlate with the truth as they should; their noise is partly a game's."""
    rows = labeled.drop_nulls(["quadrant", "ELP_net"]).sort("snapshot_id")
    codes = np.unique(rows["task_id"].to_numpy(), return_inverse=True)[1]
    noise_games = codes.max() + 1

    def score(column: str, r: float) -> tuple[np.ndarray, np.ndarray]:
        value = rows[column].to_numpy()
        noise = np.sqrt(0.3) * rng.normal(size=noise_games)[codes] + np.sqrt(0.7) * rng.normal(size=len(value))
        standard = (value - value.mean()) / (value.std() or 1.0)
        mixed = r * standard + np.sqrt(1 - r * r) * noise
        return value.mean() + max(r, 0.02) * value.std() * mixed, value

    def part(method: str, target: str, **columns: Any) -> pl.DataFrame:
        common = {"snapshot_id": rows["snapshot_id"], "task_id": rows["task_id"]}
        frame = _fill(common | columns, tables.PREDICTIONS)
        return frame.with_columns(method=pl.lit(method), target=pl.lit(target), fold=pl.lit(0, pl.Int64))

    parts = []
    for method, r in (("predictor", truth.predictor), ("entropy", truth.entropy)):
        guess, value = score("ELP_net", r)
        parts.append(part(method, "ELP_net", score=guess, truth=value))
    for target in ("U", "L_local"):
        guess, value = score(target, truth.predictor)
        parts.append(part("predictor", target, score=guess, truth=value))
    quadrants = rows["quadrant"].to_numpy()
    told = rng.random(len(quadrants)) < truth.predictor
    guess = np.where(told, quadrants, rng.choice(QUADRANTS, len(quadrants)))
    parts.append(part("predictor", "quadrant", label=guess, truth_label=quadrants, score=np.full(len(guess), 0.5)))
    return pl.concat(parts)
