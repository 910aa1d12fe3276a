"""The session that remembers gives exactly what the plain session gives."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teachable.worlds import EngineFault, InadmissibleCommand, MemoSession, get_world

FAMILIES = ("easy", "medium", "nav", "hard", "treasure_hunter", "coin_collector")
PROPERTY = settings(
    max_examples=10,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@PROPERTY
@given(
    family=st.sampled_from(FAMILIES),
    seed=st.integers(0, 10**6),
    pruned=st.booleans(),
    limit=st.sampled_from([None, 1, 7, 50]),
    images=st.sampled_from([1, 3, 256]),
)
def test_equals_the_plain_session_over_random_walks_and_jumps(games, family, seed, pruned, limit, images):
    rng = random.Random(seed)
    world = games.world if pruned else get_world("textworld", prune=())
    task = rng.choice(games.of(family))
    plain, memo = (
        world.start(task, games.root),
        MemoSession(world.start(task, games.root), limit=limit, images=images),
    )
    assert plain.state == memo.state
    places = [(plain.save(), memo.save())]
    for _ in range(40):
        if plain.state.done or rng.random() < 0.2:
            one, other = rng.choice(places)
            assert plain.restore(one) == memo.restore(other)
            continue
        command = rng.choice(plain.state.commands)
        assert plain.step(command) == memo.step(command)
        assert plain.expert_command() == memo.expert_command()
        if not plain.state.done:
            places.append((plain.save(), memo.save()))
    plain.close()
    memo.close()


def test_equal_states_by_different_routes_read_the_same_afterwards(games):
    """Things laid down are listed in the order they were laid, so the order is part of the state."""
    world = get_world("textworld", prune=())
    for task in games.of("nav"):
        plain, memo = world.start(task, games.root), MemoSession(world.start(task, games.root))
        start, begin = plain.save(), memo.save()
        for seed in range(4):
            rng = random.Random(seed)
            plain.restore(start)
            memo.restore(begin)
            for _ in range(25):
                if plain.state.done:
                    break
                safe = [
                    c for c in plain.state.commands if c.split()[0] in ("go", "open", "take", "put", "drop", "insert")
                ]
                command = rng.choice(safe or plain.state.commands)
                assert plain.step(command) == memo.step(command)
        plain.close()
        memo.close()


def test_the_order_of_things_laid_down_is_part_of_the_state(games):
    world = get_world("textworld", prune=())
    plain = world.start(games.of("hard")[0], games.root)
    memo = MemoSession(world.start(games.of("hard")[0], games.root))
    plain.step("open fridge")
    takes = [c for c in plain.state.commands if c.startswith("take") and "cookbook" not in c][:2]
    one, other = (re.match("take (.*) from", command)[1] for command in takes)
    for command in ("open fridge", *takes):
        before = memo.step(command)
    plain.step(takes[0])
    assert plain.step(takes[1]) == before
    start, begin = plain.save(), memo.save()
    seen = {}
    for first, second in ((one, other), (other, one)):
        plain.restore(start)
        memo.restore(begin)
        for holder in ("insert {} into fridge", "drop {}"):
            for thing in (first, second):
                assert plain.step(holder.format(thing)) == memo.step(holder.format(thing))
            seen[first, holder] = plain.state
            if holder.startswith("insert"):
                for command in ("close fridge", "open fridge"):  # opening lists what is inside
                    assert plain.step(command) == memo.step(command)
                seen[first, "text"] = plain.state.observation
                for thing in (first, second):
                    plain.step(f"take {thing} from fridge")
                    memo.step(f"take {thing} from fridge")
    for holder in ("insert {} into fridge", "drop {}"):
        assert seen[one, holder].scene == seen[other, holder].scene
        assert seen[one, holder].digest != seen[other, holder].digest
    assert seen[one, "text"] != seen[other, "text"]


def test_known_transitions_leave_the_engine_alone(games):
    memo = MemoSession(games.world.start(games.of("hard")[0], games.root))
    start = memo.save()
    plan = []
    while not memo.state.done:
        plan.append(memo.expert_command())
        memo.step(plan[-1])
    turns = memo.turns
    assert turns == len(plan)
    for _ in range(5):
        memo.restore(start)
        states = [memo.step(command) for command in plan]
        assert states[-1].won
    assert memo.turns == turns


def test_forks_are_independent_and_share_what_they_know(games):
    memo = MemoSession(games.world.start(games.of("medium")[0], games.root))
    other = memo.fork()
    command = memo.expert_command()
    after = memo.step(command)
    assert other.state != after
    assert other.step(command) == after
    assert memo.turns == 1
    memo.close()
    with pytest.raises(EngineFault, match="closed"):
        memo.step(other.state.commands[0])
    other.step(other.expert_command())
    other.close()
    other.close()


def test_inadmissible_commands_are_refused(games):
    task = games.of("easy")[0]
    memo = MemoSession(games.world.start(task, games.root))
    with pytest.raises(InadmissibleCommand, match=task.task_id):
        memo.step("fly")
    assert memo.turns == 0
    with pytest.raises(ValueError, match="at least 1"):
        MemoSession(games.world.start(task, games.root), limit=0)


def test_memory_is_bounded(games):
    memo = MemoSession(games.world.start(games.of("hard")[0], games.root), limit=5, images=2)
    start, rng = memo.save(), random.Random(0)
    for _ in range(10):
        memo.restore(start)
        for _ in range(6):
            if not memo.state.done:
                memo.step(rng.choice(memo.state.commands))
    table = memo._open()
    assert len(table._transitions) <= 5
    assert len(table._experts) <= 5
    assert len(table._images) <= 2
