"""The expert: a shortest winning plan, as a pure function of the state.

TextWorld's own solver (``policy_commands``) patches the plan it holds after every step, so what it says
depends on the path that led to a state; two routes to the same state may get different advice. A table of
remembered transitions and the merging of rollouts need advice that depends on the state alone, and a
demonstration should be one that a student could give: the recipe is read before anything is taken, cut or
cooked. Hence this planner. It searches over routes only: whatever useful thing can be done on the spot is
done at once, in a fixed order, because nothing in these games makes waiting better (no limit on what is
carried). Tests compare it with TextWorld's solver.
"""

from __future__ import annotations

import heapq

from teachable.worlds.textworld.ground import READ, Ground, GroundGame, Mode

# Order in which useful things on the spot are done; verbs that are absent (put, drop, close ...) are never needed.
_ORDER = {
    "unlock": 0,
    "open": 0,
    "take": 1,
    "slice": 2,
    "dice": 2,
    "chop": 2,
    "cook": 3,
    "prepare": 4,
    "eat": 5,
}


class Expert:
    """Plans for one game."""

    def __init__(self, game: GroundGame) -> None:
        self.game = game
        self._routes: list[Ground] = []
        self._deeds: list[Ground] = []
        for action in game.actions:
            verb = action.command.split()[0]
            if verb == "go" or (verb in ("open", "unlock") and any(v.type == "d" for v in action.arguments)):
                self._routes.append(action)
            elif verb in _ORDER:
                self._deeds.append(action)
        recipes = [action.size for action in self._deeds if action.command.startswith("prepare")]
        self._deeds = [a for a in self._deeds if not a.command.startswith("prepare") or a.size == max(recipes)]
        self._routes.sort(key=lambda action: action.command)
        self._deeds.sort(key=lambda a: (_ORDER[a.command.split()[0]], a.command.split(" ", 1)[1], a.command, -a.size))
        self._meal = 0
        for fact, bit in game.bit.items():
            if any(argument.type == "meal" for argument in fact.arguments):
                self._meal |= bit

    def plan(self, mode: Mode) -> tuple[str, ...] | None:
        """The commands that win from ``mode``: () when it is won, None when it can no longer be won.

        Among plans with the fewest moves and doors the first in a fixed order; the same state always gives the same.
        """
        game = self.game
        if game.won(mode):
            return ()
        if game.failed(mode.facts, mode.quests):
            return None
        deeds = self._useful(mode)
        if deeds is None:
            return None
        seen: set[Mode] = set()
        count = 0
        queue: list[tuple[int, int, Mode, tuple[str, ...]]] = [(0, 0, mode, ())]
        while queue:
            moves, _, node, plan = heapq.heappop(queue)
            node, plan = self._act(node, plan, deeds)
            if game.won(node):
                return plan
            if node in seen:
                continue
            seen.add(node)
            for action in self._routes:
                if node.facts & action.pre == action.pre:
                    following = self._apply(node, action)
                    if following not in seen:
                        count += 1
                        heapq.heappush(queue, (moves + 1, count, following, (*plan, action.command)))
        return None

    def _apply(self, mode: Mode, action: Ground) -> Mode:
        facts = (mode.facts | action.add) & ~action.delete
        return Mode(facts, self.game._completed(facts, mode.quests), mode.read)

    def _act(self, mode: Mode, plan: tuple[str, ...], deeds: list[Ground]) -> tuple[Mode, tuple[str, ...]]:
        """Do everything useful that can be done without moving."""
        game = self.game
        while not game.won(mode):
            reading = game.document and not mode.read and not self._meal_made(mode)
            if reading and game.in_sight(mode.facts):
                mode, plan = Mode(mode.facts, mode.quests, True), (*plan, READ)
                continue
            for action in deeds:
                if mode.facts & action.pre != action.pre or not action.add & ~mode.facts:
                    continue
                verb = action.command.split()[0]
                if (reading and verb != "open") or (verb == "prepare" and not self._ready(mode)):
                    continue
                following = self._apply(mode, action)
                if not game.failed(following.facts, following.quests):
                    mode, plan = following, (*plan, action.command)
                    break
            else:
                break
        return mode, plan

    def _outstanding(self, mode: Mode) -> list[tuple[int, ...]]:
        return [g.win for i, g in enumerate(self.game.quests) if g.required and not mode.quests >> i & 1]

    def _meal_made(self, mode: Mode) -> bool:
        return len(self._outstanding(mode)) == 1

    def _ready(self, mode: Mode) -> bool:
        """Whether only the meal itself is missing; the engine refuses to prepare it earlier."""
        return all(win & self._meal for wins in self._outstanding(mode) for win in wins)

    def _useful(self, mode: Mode) -> list[Ground] | None:
        """The deeds that help to complete what is outstanding; None when that is out of reach."""
        reach, candidates = mode.facts, []
        pending = [*self._routes, *self._deeds]
        while True:
            blocked = []
            for action in pending:
                if action.pre & ~reach:
                    blocked.append(action)
                else:
                    reach |= action.add
                    candidates.append(action)
            if len(blocked) == len(pending):
                break
            pending = blocked
        wanted = 0
        for wins in self._outstanding(mode):
            reachable = [win for win in wins if not win & ~reach]
            if not reachable:
                return None
            for win in reachable:
                wanted |= win & ~mode.facts
        routes = set(map(id, self._routes))
        useful: set[int] = set()
        changed = True
        while changed:
            changed = False
            for action in candidates:
                if id(action) not in useful and action.add & wanted:
                    useful.add(id(action))
                    wanted |= action.pre & ~mode.facts
                    changed = True
        return [action for action in self._deeds if id(action) in useful and id(action) not in routes]
