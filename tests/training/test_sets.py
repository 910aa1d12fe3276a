"""Training sets: who may teach, equal budgets, the size of the baselines, and nothing repeated in silence."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachable import tables, terms
from teachable.student.prompt import Transition
from teachable.training import sets
from teachable.training.budget import Replay
from teachable.training.errors import SetError, SplitError
from teachable.training.recovery import recovery_set
from teachable.training.replay import replay_examples

REPLAY = Replay(share=0.5, pool=100, epochs=2, batch_size=4)
SIZES = {"Q1": 9, "Q2": 5, "Q3": 12, "Q4": 4}


def labeled_frame(sizes: dict[str, int], **columns: Any) -> pl.DataFrame:
    """A labelled table with ``sizes`` snapshots a quadrant, two a game."""
    rows = []
    for quadrant, size in sizes.items():
        for i in range(size):
            rows.append(
                {
                    **dict.fromkeys(tables.LABELED),
                    "snapshot_id": f"{quadrant}-s{i}",
                    "task_id": f"{quadrant}-t{i // 2}",
                    "family": "easy",
                    "quadrant": quadrant,
                    "unwinnable": False,
                    "L_upper": 0.1 * (i % 10),
                    "commands": [f"do {quadrant}-s{i}", "look", "wait"],
                    **columns,
                }
            )
    return pl.DataFrame(rows, schema=dict(tables.LABELED))


def advice_frame(labeled: pl.DataFrame, invalid: tuple[str, ...] = ()) -> pl.DataFrame:
    rows = [
        {
            **dict.fromkeys(tables.ADVICE),
            "snapshot_id": s,
            "suggested_action": None if s in invalid else f"do {s}",
            "valid": s not in invalid,
        }
        for s in labeled["snapshot_id"]
    ]
    return pl.DataFrame(rows, schema=dict(tables.ADVICE))


def panels_frame(labeled: pl.DataFrame, held_out: tuple[str, ...] = ()) -> pl.DataFrame:
    """Every task on the train side but those named."""
    rows = [
        {
            "panel": "held_out" if task in held_out else "train",
            "side": "held_out" if task in held_out else "train",
            "snapshot_id": snapshot,
            "task_id": task,
            "quadrant": quadrant,
            "order": i,
        }
        for i, (snapshot, task, quadrant) in enumerate(labeled.select("snapshot_id", "task_id", "quadrant").iter_rows())
    ]
    return pl.DataFrame(rows, schema=dict(tables.PANELS))


def render(snapshot: Any, advice: Any, format_: str) -> tuple[str, str]:
    return f"{format_} {snapshot['snapshot_id']}", advice["suggested_action"]


def count(texts: Any) -> list[int]:
    return [len(text.split()) for text in texts]


def make(
    sizes: dict[str, int] = SIZES,
    invalid: tuple[str, ...] = (),
    held_out: tuple[str, ...] = (),
    **options: Any,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    labeled = labeled_frame(sizes)
    examples, budget = sets.matrix_sets(
        labeled,
        advice_frame(labeled, invalid),
        panels_frame(labeled, held_out),
        render,
        count,
        sets.SetSettings(seed=3, **options),
        REPLAY,
    )
    return examples, budget, labeled


def sizes_of(examples: pl.DataFrame) -> dict[str, int]:
    return dict(examples.group_by("run").len().iter_rows())


def test_fourteen_runs_of_equal_size_by_default() -> None:
    examples, budget, _ = make()
    sizes = sizes_of(examples)
    assert set(sizes) == {run.name for run in terms.matrix()} | {terms.RANDOM_ANSWER}
    assert {n for run, n in sizes.items() if run != terms.EVERYTHING} == {4}
    assert sizes[terms.EVERYTHING] == 30
    by_run = {row["run"]: row for row in budget.iter_rows(named=True)}
    assert by_run["Q1_demo"]["difference"] == 0
    assert by_run[terms.EVERYTHING]["difference"] == 26
    assert set(budget["repeated"]) == {0}
    assert by_run["Q2_hint"]["tokens"] == 4 * 4
    assert by_run["Q2_hint"]["completion_tokens"] == 4 * 2


def test_a_preference_run_adds_a_row_to_the_budget_and_no_example() -> None:
    """Of four examples of Q4_contrast the student did one as advised, so that three pairs are left."""
    examples, plain, _ = make(plain=0.5)
    labeled = labeled_frame(SIZES, student_action="wait").with_columns(
        student_action=pl.when(pl.col("snapshot_id") == "Q4-s0").then(pl.lit("do Q4-s0")).otherwise("student_action")
    )
    with_run, budget = sets.matrix_sets(
        labeled,
        advice_frame(labeled),
        panels_frame(labeled),
        render,
        count,
        sets.SetSettings(seed=3, plain=0.5),
        REPLAY,
        ["Q4"],
    )
    assert with_run.equals(examples)
    assert budget.head(plain.height).equals(plain)
    assert budget["run"].to_list()[plain.height :] == ["Q4_dpo"]
    rows = {row["run"]: row for row in budget.iter_rows(named=True)}
    pairs, cell = rows["Q4_dpo"], rows["Q4_contrast"]
    assert (cell["examples"], pairs["examples"], pairs["difference"]) == (4, 3, -1)
    assert (pairs["steps"], pairs["replayed"]) == (cell["steps"], cell["replayed"])
    assert terms.describe("Q4_dpo") == terms.Run("Q4_dpo", "Q4", "contrast")


@given(
    sizes=st.fixed_dictionaries({q: st.integers(1, 14) for q in terms.QUADRANTS}),
    wanted=st.one_of(st.none(), st.integers(1, 20)),
    upsample=st.booleans(),
)
@settings(max_examples=40)
def test_budget_properties(sizes: dict[str, int], wanted: int | None, upsample: bool) -> None:
    examples, budget, _ = make(sizes, examples_per_run=wanted, upsample=upsample)
    target = wanted if wanted and upsample else min(wanted or 99, *sizes.values())
    lengths = sizes_of(examples)
    cells = [lengths[run.name] for run in terms.cells()]
    for run in terms.cells():
        assert lengths[run.name] == target, "all cells have as many"
    assert set(cells) == {lengths[terms.RANDOM_ANSWER]} == {lengths[terms.UNIFORM]}
    steps = dict(budget.select("run", "steps").iter_rows())
    assert len({steps[run.name] for run in (*terms.cells(), *terms.controls())} | {steps[terms.UNIFORM]}) == 1
    for row in budget.filter(pl.col("run") != terms.REPLAY_ONLY).iter_rows(named=True):
        rows = examples.filter(pl.col("run") == row["run"])
        assert row["examples"] == rows.height
        assert row["difference"] == rows.height - target
        assert row["repeated"] == rows.height - rows["snapshot_id"].n_unique()
        assert rows["example_id"].is_unique().all()
        if not upsample:
            assert row["repeated"] == 0


def test_the_formats_of_a_quadrant_teach_from_the_same_snapshots() -> None:
    examples, _, _ = make(examples_per_run=3)
    for quadrant in terms.QUADRANTS:
        used = [
            set(examples.filter(pl.col("run") == terms.cell_name(quadrant, f))["snapshot_id"]) for f in terms.FORMATS
        ]
        assert used[0] == used[1] == used[2]
        assert all(s.startswith(quadrant) for s in used[0]), "a cell learns from its own quadrant only"


def test_every_training_draws_its_own_examples() -> None:
    examples, budget, _ = make(dict.fromkeys(terms.QUADRANTS, 12), examples_per_run=5, trainings=3, plain=0.4)

    def drawn(run: str) -> list[list[str]]:
        rows = examples.filter(pl.col("run") == run)
        return [rows.filter(pl.col("draw") == training)["snapshot_id"].to_list() for training in (1, 2, 3)]

    for run in (*(run.name for run in terms.cells()), terms.UNIFORM):
        assert [len(part) for part in drawn(run)] == [5, 5, 5], run
        assert len({tuple(part) for part in drawn(run)}) == 3, run
    for quadrant in terms.QUADRANTS:
        assert len({str(drawn(terms.cell_name(quadrant, f))) for f in terms.FORMATS}) == 1, "formats share a draw"
    assert drawn(terms.RANDOM_ANSWER) == drawn(terms.UNIFORM)
    everything = examples.filter(pl.col("run") == terms.EVERYTHING)
    assert everything["draw"].null_count() == len(everything) == 48
    hints = examples.filter(pl.col("format") == "hint").group_by("run", "draw").agg(pl.col("plain").sum())
    assert set(hints["plain"]) == {2}
    assert set(budget.filter(pl.col("run") != terms.EVERYTHING)["examples"]) == {5, 0}  # of one training; C_replay: 0


def test_uniform_and_everything_are_demonstrations_over_all_quadrants() -> None:
    examples, _, _ = make(dict.fromkeys(terms.QUADRANTS, 40))
    for run in (terms.UNIFORM, terms.EVERYTHING):
        rows = examples.filter(pl.col("run") == run)
        assert set(rows["format"]) == {"demo"}
        assert set(rows["quadrant"]) == set(terms.QUADRANTS)
        assert rows["snapshot_id"].is_unique().all()
    assert sizes_of(examples)[terms.UNIFORM] == 40


def test_held_out_unwinnable_and_badly_advised_snapshots_never_teach() -> None:
    labeled = labeled_frame(SIZES).with_columns(
        unwinnable=pl.when(pl.col("snapshot_id") == "Q3-s2").then(True).otherwise(False)
    )
    advice = advice_frame(labeled, invalid=("Q1-s4",))
    panels = panels_frame(labeled, held_out=("Q1-t0", "Q3-t4"))
    pool = sets.teachable_pool(labeled, advice, panels)
    assert not set(pool["task_id"]) & {"Q1-t0", "Q3-t4"}
    assert not set(pool["snapshot_id"]) & {"Q3-s2", "Q1-s4"}
    assert pool.height == 30 - 2 - 2 - 2


def test_a_game_on_both_sides_is_refused() -> None:
    labeled = labeled_frame(SIZES)
    panels = panels_frame(labeled)
    both = panels.head(1).with_columns(panel=pl.lit("failure"), side=pl.lit("held_out"))
    with pytest.raises(SplitError, match="both sides"):
        sets.teachable_pool(labeled, advice_frame(labeled), pl.concat([panels, both]))


def test_an_empty_quadrant_takes_only_its_own_runs_away() -> None:
    examples, budget, _ = make({"Q1": 3, "Q2": 3, "Q3": 3, "Q4": 0})
    absent = {run.name for run in terms.cells() if run.quadrant == "Q4"}
    assert set(sizes_of(examples)) == {run.name for run in terms.matrix()} - absent | {terms.RANDOM_ANSWER}
    assert not absent & set(budget["run"])
    nothing, none, _ = make({})
    assert nothing.is_empty()
    assert none.is_empty()


def test_controls_differ_from_uniform_in_what_they_should_and_in_nothing_else() -> None:
    examples, budget, labeled = make(dict.fromkeys(terms.QUADRANTS, 20))
    uniform = examples.filter(pl.col("run") == terms.UNIFORM)
    control = examples.filter(pl.col("run") == terms.RANDOM_ANSWER)
    assert control.select("snapshot_id", "prompt").equals(uniform.select("snapshot_id", "prompt"))
    assert (control["completion"] != uniform["completion"]).all()
    admissible = dict(labeled.select("snapshot_id", "commands").iter_rows())
    assert all(c in admissible[s] for s, c in control.select("snapshot_id", "completion").iter_rows())
    assert control["completion"].n_unique() == 2, "both other commands are drawn"
    rows = {row["run"]: row for row in budget.iter_rows(named=True)}
    alone, beside = rows[terms.REPLAY_ONLY], rows[terms.UNIFORM]
    assert (alone["examples"], alone["steps"]) == (0, beside["steps"])
    assert alone["replayed"] == beside["replayed"] + beside["examples"] * beside["epochs"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_an_exact_share_of_contrast_and_hint_stands_on_the_plain_prompt(share: float) -> None:
    examples, budget, _ = make(dict.fromkeys(terms.QUADRANTS, 10), plain=share)
    for run in terms.cells():
        rows = examples.filter(pl.col("run") == run.name)
        plain = rows["prompt"].str.starts_with("demo")
        expected = 10 if run.format == "demo" else round(10 * share)
        assert plain.sum() == expected
        assert rows["plain"].to_list() == plain.to_list()
    counted = dict(budget.select("run", "plain").iter_rows())
    assert counted["Q1_hint"] == round(10 * share)
    assert counted["Q1_demo"] == 0


def test_replay_takes_won_episodes_of_games_that_evaluate_nothing() -> None:
    def decisions(episode: str, task: str, length: int) -> list[dict[str, Any]]:
        return [
            {
                **dict.fromkeys(tables.STEPS),
                "episode_id": episode,
                "task_id": task,
                "step": t,
                "observation": f"o{t}",
                "memo": "",
                "scene": "a room",
                "commands": [f"a{t}", "look"],
                "action": f"a{t}",
            }
            for t in range(length)
        ]

    kinds = [  # episode, game, won, who
        ("e1", "t1", True, "student"),
        ("e2", "t1", False, "student"),
        ("e3", "t2", True, "student"),
        ("e4", "t3", True, "expert"),
        ("e5", "t4", None, "student"),
        ("e6", "t5", True, "student"),
    ]
    episodes = pl.DataFrame(
        [
            {
                **dict.fromkeys(tables.EPISODES),
                "episode_id": e,
                "task_id": t,
                "family": f"family of {t}",
                "success": won,
                "behaviour": who,
            }
            for e, t, won, who in kinds
        ],
        schema=dict(tables.EPISODES),
    )
    steps = pl.DataFrame(
        [row for e, t, _, _ in kinds for row in decisions(e, t, 3)], schema=dict(tables.STEPS)
    ).reverse()
    before = [Transition("look", "a room").columns()]
    snapshots = pl.DataFrame({"snapshot_id": ["s1"], "history": [before]})

    def replayed(steps: pl.DataFrame, episodes: pl.DataFrame) -> pl.DataFrame:
        def render(row: Any, command: str) -> tuple[str, str]:
            return str([(turn["command"], turn["observation"]) for turn in row["history"]]), command

        return replay_examples(steps, episodes, {"t2"}, render, snapshots)

    found = replayed(steps, episodes)
    assert tables.conform(found, tables.EXAMPLES).equals(found)
    assert set(found["task_id"]) == {"t1", "t5"}
    assert found["family"].to_list() == [f"family of {task}" for task in found["task_id"]]
    assert found["completion"].to_list() == ["a0", "a1", "a2"] * 2
    assert found["prompt"][0] == "[]"
    each = [("a0", "o1"), ("a1", "o2")]
    assert found["prompt"][2] == str(each), "each command with what it led to"

    going_on = episodes.filter(episode_id="e1").with_columns(episode_id=pl.lit("s1/0"), snapshot_id=pl.lit("s1"))
    behind = pl.DataFrame(decisions("s1/0", "t1", 3), schema=dict(tables.STEPS)).with_columns(pl.col("step") + 4)
    found = replayed(behind, going_on)
    assert found["completion"].to_list() == ["a1", "a2"], "the first command was the teacher's"
    assert found["snapshot_id"].to_list() == ["s1", "s1"]
    assert found["prompt"][0] == str([("look", "a room"), ("a0", "o1")]), "the snapshot's own past first"


def test_order_of_rows_does_not_matter() -> None:
    labeled = labeled_frame(SIZES)
    args = (render, count, sets.SetSettings(seed=3), REPLAY)
    one, _ = sets.matrix_sets(labeled, advice_frame(labeled), panels_frame(labeled), *args)
    turned = labeled.reverse()
    two, _ = sets.matrix_sets(turned, advice_frame(turned), panels_frame(turned), *args)
    assert one.equals(two)


def selection_frame(rows: list[tuple[str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"run": run, "draw": None, "method": run[2:], "snapshot_id": s, "rank": i, "score": 0.0, "format": f}
            for i, (run, s, f) in enumerate(rows)
        ],
        schema=dict(tables.SELECTION),
    )


def test_selection_runs_use_each_row_s_format_and_report_what_is_missing() -> None:
    labeled = labeled_frame(SIZES)
    chosen = [
        ("S_random_k2", "Q1-s0", "hint"),
        ("S_random_k2", "Q2-s0", "demo"),
        ("S_oracle_k2", "Q1-s0", "contrast"),
    ]
    examples, budget = sets.selection_sets(
        labeled, advice_frame(labeled), panels_frame(labeled), selection_frame(chosen), render, count, REPLAY
    )
    got = Counter(examples.select("run", "snapshot_id", "format").iter_rows())
    assert got == Counter(chosen)
    assert dict(budget.select("run", "difference").iter_rows()) == {"S_random_k2": 0, "S_oracle_k2": -1}
    assert set(budget["format"]) == {"demo"}
    alone = selection_frame(chosen[2:])
    _, short = sets.selection_sets(
        labeled, advice_frame(labeled), panels_frame(labeled), alone, render, count, REPLAY, target=3
    )
    assert short.select("examples", "target_examples", "difference").rows() == [(1, 3, -2)]


def test_selection_from_the_held_out_side_or_twice_is_refused() -> None:
    labeled = labeled_frame(SIZES)
    panels = panels_frame(labeled, held_out=("Q1-t0",))
    advice = advice_frame(labeled)
    with pytest.raises(SetError, match="Q1-s0"):
        sets.selection_sets(
            labeled, advice, panels, selection_frame([("S_random_k2", "Q1-s0", "demo")]), render, count, REPLAY
        )
    twice = selection_frame([("S_random_k2", "Q2-s0", "demo"), ("S_random_k2", "Q2-s0", "hint")])
    with pytest.raises(SetError, match="twice"):
        sets.selection_sets(labeled, advice, panels, twice, render, count, REPLAY)


def continuation(snapshot: str, length: int, *, success: bool = True, stem: str = "") -> list[dict[str, Any]]:
    return [
        {
            **dict.fromkeys(tables.CONTINUATIONS),
            "snapshot_id": snapshot,
            "task_id": f"{snapshot[:2]}-t{int(snapshot[4:]) // 2}",
            "step": 3 + i,
            "goal": "",
            "memo": "",
            "scene": f"{stem or snapshot} {i}",
            "observation": "",
            "history": [],
            "commands": [],
            "action": f"expert {i}",
            "success": success,
        }
        for i in range(length)
    ]


def recovery(rows: list[dict[str, Any]], target: int, **options: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    labeled = labeled_frame(SIZES)
    return recovery_set(
        labeled,
        panels_frame(labeled),
        pl.DataFrame(rows, schema=dict(tables.CONTINUATIONS)),
        lambda row, command: (row["scene"], command),
        count,
        sets.SetSettings(seed=1, **options),
        REPLAY,
        target=target,
    )


def test_recovery_takes_successful_continuations_of_high_ceilings() -> None:
    rows = [
        *continuation("Q3-s9", 4),  # L_upper 0.9
        *continuation("Q3-s8", 3, success=False),  # failed
        *continuation("Q3-s1", 3),  # L_upper 0.1
        *continuation("Q1-s7", 4, stem="Q3-s9"),  # the same decisions again
    ]
    examples, budget = recovery(rows, target=10)
    assert examples.height == 4
    assert set(examples["completion"]) == {f"expert {i}" for i in range(4)}
    assert budget["difference"].to_list() == [-6]
    cut, _ = recovery(rows, target=3)
    assert cut.height == 3
    for nothing in (
        recovery(continuation("Q3-s9", 2, success=False), target=3),
        recovery(rows, target=3, recovery_minimum=0.95),
    ):
        assert all(frame.is_empty() for frame in nothing)


def test_names_of_runs() -> None:
    assert len(terms.matrix()) == 14
    assert terms.describe("Q4_hint") == terms.Run("Q4_hint", "Q4", "hint")
    assert terms.describe("S_eef_error_k8").format == "demo"
    assert terms.selection_of("S_eef_error_k8") == ("eef_error", 8)
    assert terms.selection_of(terms.selection_name("oracle_diverse", 24)) == ("oracle_diverse", 24)
    assert terms.selection_of("Q1_demo") is None
    with pytest.raises(ValueError, match="base"):
        terms.describe("base")
