"""Record which model is the student and how it answers; the one place where a hub name or path is resolved."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from teachable import tables
from teachable.stages.models import SETTINGS, WEIGHTS

if TYPE_CHECKING:
    from teachable.stages.params import LinkStudent
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: LinkStudent) -> None:
    """For the built-in student the weights are copied; a pretrained model stays where it is.

    Raises StudentError when the path or hub name is not on this machine.
    """
    from teachable.student.files import fingerprint, locate

    directory = outputs["student"]
    directory.mkdir(parents=True)
    settings = params.student.model_dump()
    if "weights" in inputs:
        shutil.copytree(inputs["weights"][0], directory / WEIGHTS, ignore=shutil.ignore_patterns(".snakemake*"))
        settings["fingerprint"] = fingerprint(directory / WEIGHTS)
    else:
        settings["fingerprint"] = fingerprint(locate(params.student.path or "", params.student.revision))
    tables.write_json(settings, directory / SETTINGS)
