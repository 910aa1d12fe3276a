"""All tables of a study as a data set that ``datasets.load_dataset`` reads, a configuration a table."""

from __future__ import annotations

import shutil
from pathlib import Path

from teachable import tables
from teachable.artifacts.catalogue import ARTIFACTS
from teachable.export.card import card, columns_of, grid, origin
from teachable.export.found import ExportError, Found

ABOUT = {
    "about": "every table as a Hugging Face data set, with units and meanings on its card",
    "options": (),
}
FIRST = "labeled"  # what load_dataset gives where no configuration is named


def write(found: Found, out: Path) -> str:
    """The bytes of every table that there is, checked a row group at a time."""
    held: dict[str, tuple[int, Path]] = {}
    for name, artifact in ARTIFACTS.items():
        files = found.files(name) if artifact.kind == "table" else []
        if not files:
            continue
        schema, rows = found.schema(name), 0
        values = tables.Table(schema.name, schema.about, schema.columns)  # without its key: parts may share rows
        for path in files:
            rows += sum(frame.height for frame in tables.batches(path, values))
            to = out / "data" / name / _name(path.relative_to(found.root))
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
        held[name] = rows, files[0]
    if not held:
        raise ExportError(f"{found.root} holds no table yet: `snakemake -c 2` makes them.")
    (out / "README.md").write_text(_card(found, held), encoding="utf-8")
    return f"{len(held)} tables with {sum(rows for rows, _ in held.values())} rows"


def _name(path: Path) -> str:
    return "-".join(path.with_suffix("").parts) + path.suffix


def _card(found: Found, held: dict[str, tuple[int, Path]]) -> str:
    filled = [name for name, (rows, _) in held.items() if rows]  # of an empty table nothing can be loaded
    first = FIRST if FIRST in filled else filled[0] if filled else ""
    configs = [
        {"config_name": name, "data_files": f"data/{name}/*.parquet", **({"default": True} if name == first else {})}
        for name in filled
    ]
    about = {name: found.schema(name).about for name in held}
    parts = [f"## {name}\n\n{about[name]}\n\n{columns_of(path)}" for name, (_, path) in held.items()]
    return card(
        {"pretty_name": "Tables of a Teachable Moments study", "configs": configs},
        "# Tables of a Teachable Moments study\n\nWhich failures of an LLM agent are worth teaching from: episodes, "
        "the decisions before failures, what each command there is worth, labels, training sets, evaluation.",
        f'```python\nfrom datasets import load_dataset\n\nload_dataset("FOLDER", "{first}", split="train")\n```',
        "Parquet's own metadata has every unit and meaning as well: `teachable.tables.describe(file)`. The split is "
        "always called `train`, whatever a table holds: the columns `split` and `side` say which games serve what.",
        grid(("configuration", "rows", "what it is"), [(f"`{n}`", rows, about[n]) for n, (rows, _) in held.items()]),
        origin(found),
        *parts,
    )
