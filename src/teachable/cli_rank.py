"""``teachable rank``: new failures by predicted teachability, without a rollout."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable.errors import TeachableError

if TYPE_CHECKING:
    import polars as pl

    from teachable.pipeline.ranking import Ranker


ABOUT = "Rank new failures by predicted teachability, without a rollout."
DESCRIPTION = (
    f"{ABOUT} Writes RANKING (teachable.tables): predicted ELP_net with its interval, route, quadrant, and whether a "
    "snapshot is outside of what the predictor knows. docs/predictor.md tells more."
)


def add_rank_parser(commands: Any) -> None:
    """Give the parser of ``teachable`` its command ``rank``."""
    _arguments(commands.add_parser("rank", help=ABOUT[0].lower() + ABOUT[1:-1], description=DESCRIPTION))


def main(argv: list[str]) -> int:
    """``teachable rank`` with what stands behind it; returns the exit status."""
    parser = argparse.ArgumentParser(prog="teachable rank", description=DESCRIPTION)
    _arguments(parser)
    return run(parser.parse_args(argv))


def _arguments(rank: argparse.ArgumentParser) -> None:
    rank.add_argument("model", type=Path, metavar="MODEL", help="results/phase4/predictor.safetensors of a study")
    given = rank.add_mutually_exclusive_group(required=True)
    given.add_argument("--snapshots", type=Path, metavar="FILE", help="a table SNAPSHOTS or LABELED")
    given.add_argument("--features", type=Path, metavar="FILE", help="a table FEATURES, as `teachable features` makes")
    rank.add_argument("--student", type=Path, metavar="DIR", help="results/student: read hidden states, too")
    rank.add_argument("--out", type=Path, required=True, metavar="FILE", help="the table RANKING, as Parquet")
    rank.add_argument("--level", type=float, default=0.9, help="of the intervals (default: %(default)s)")
    rank.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read, rank, write, and say in two lines what came out."""
    from teachable import tables
    from teachable.pipeline.ranking import Ranker

    if arguments.features and arguments.student:
        raise TeachableError("--student makes features of --snapshots; a table of --features has its own: give one.")
    ranker = Ranker.load(arguments.model)
    if arguments.features:
        from teachable.predictor.sets import from_table

        ranking = ranker.kept.rank(from_table(tables.read(arguments.features, tables.FEATURES)), level=arguments.level)
    else:
        ranking = _of_snapshots(ranker, arguments)
    with tables.made_by("rank"):
        tables.write(ranking, arguments.out, tables.RANKING)
    print(_summary(ranker, ranking, arguments.out), file=sys.stderr)
    known, found = ranker.kept.about.student, _student_of(arguments.features or arguments.snapshots)
    if found not in (None, known):
        print(
            f"rank: these are failures of the student {found[:12]}, and this predictor learned from those of "
            f"{known[:12]}: label some of them before trusting this order",
            file=sys.stderr,
        )
    return 0


def _student_of(table: Path) -> str | None:
    """Fingerprint of the student of the study in whose ``results/<phase>/`` the table lies; None anywhere else: the
    table itself names no student."""
    from teachable import tables

    record = table.absolute().parent.parent / "student" / "settings.json"
    if not record.is_file():
        return None
    found = tables.read_json(record)
    return str(found["fingerprint"]) if isinstance(found, dict) and "fingerprint" in found else None


def _of_snapshots(ranker: Ranker, arguments: argparse.Namespace) -> pl.DataFrame:
    from teachable import tables

    labelled = tables.describe(arguments.snapshots).table == "LABELED"
    snapshots = tables.read(arguments.snapshots, tables.LABELED if labelled else tables.SNAPSHOTS)
    student = None
    if arguments.student:
        if not (arguments.student / "settings.json").exists():
            raise TeachableError(
                f"{arguments.student} is no student: it has no settings.json. `teachable link-student --help` tells "
                "how to make one of a Hugging Face model; a study's is results/student."
            )
        from teachable.pipeline.models import load_student

        student = load_student(arguments.student)
    return ranker.rank(snapshots, student=student, level=arguments.level)


def _summary(ranker: Ranker, ranking: pl.DataFrame, out: Path) -> str:
    from teachable.predictor.trust import OUTSIDE

    about, count, outside = ranker.kept.about, ranking.height, int(ranking["outside"].sum())
    text = f"rank: {count} snapshots by {ranking['tiers'][0] if count else 'nothing'} into {out}"
    text += f"; learned from {about.snapshots} of {about.games} games in {about.world} and student {about.student[:12]}"
    if not count:
        return text
    text += f"\nrank: {outside} of {count} are outside of what it knows, where {OUTSIDE:.0%} are expected"
    if outside > OUTSIDE * count + 3 * (OUTSIDE * (1 - OUTSIDE) * count) ** 0.5:
        common = ranking.filter("outside")["unusual"].mode().sort()[0]
        text += (
            f"; most for {common}. Another world, student or kind of failure: label some of them before trusting this"
        )
    return text
