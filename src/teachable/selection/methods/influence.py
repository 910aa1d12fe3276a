"""Gradient influence: whose example pulls the student where examples of other games of the training side pull it.

The score of candidate z is the cosine of its gradient with the mean gradient of the validation set V::

    score(z) = cos(g(z), mean of g(v) over v in V),    g(z) = d loss(z) / d(LoRA's B) at B = 0, projected

A step of gradient descent on z changes the loss on V by -rate times the product of the two gradients to first order
(TracIn; Pruthi et al. 2020, arXiv:2002.08484); the cosine keeps short and badly fitted examples, whose gradients are
long, from winning by length (LESS; Xia et al. 2024, arXiv:2402.04333). The stage ``influence`` makes the gradients
(:mod:`teachable.student.gradients`). Unlike LESS there is one checkpoint, the base student, and no warm-up; so Adam has
no moments yet, by which its first step would be the gradient's signs alone, and the gradients are taken as they are.

The validation set is of the games that ``eef_error`` judges by, which give no candidate; held-out games have no say.
"""

from __future__ import annotations

import numpy as np

from teachable.predictor.sets import Floats
from teachable.selection.pool import ONE_GAME, Choice, Pool

ABOUT = {"gradients": True}


def choose(pool: Pool) -> Choice:
    parts = pool.judged()
    if parts is None:
        return Choice([], np.empty(0), ONE_GAME)
    target, rest = parts
    score = influence(pool.slopes(rest), pool.slopes(target))
    order = np.lexsort((pool.ties[: len(rest)], -score))[: pool.k]
    return Choice(rest["_row"][order.tolist()].to_list(), score[order], "all other candidates are of games that judge")


def influence(candidates: Floats, validation: Floats) -> Floats:
    """Cosines ``[N]`` of the gradients ``[N, D]`` with the mean of ``validation`` ``[V, D]``; 0 where one is null."""
    aim = validation.mean(axis=0)
    scale = np.linalg.norm(candidates, axis=1) * np.linalg.norm(aim)
    return np.divide(candidates @ aim, scale, out=np.zeros(len(candidates)), where=scale > 0)
