"""A TextWorld game as bit masks: facts are bits, a state is one integer, an action is three masks.

TextWorld enumerates the admissible commands anew at every step by matching rules against facts. Here the
rules are instantiated once per game over every fact that can ever come true (a fixpoint that ignores
deletions, so nothing applicable is missed); afterwards an action is applicable when ``state & pre == pre``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from textworld.generator.game import Game, Quest
from textworld.logic import Action, Proposition, Variable

DOCUMENT = "cookbook"  # the only thing worth examining: it holds the recipe
READ = f"examine {DOCUMENT}"
READ_EVENT = f"examining the {DOCUMENT}"

# What the engine's trace really prints, where TextWorld's rules are wrong (so that TextWorld itself loses track).
_LAYING = {
    "put": "s",
    "insert": "c",
    "drop": "r",
}  # rules that lay a thing down, and the type of what they lay it on
_EVENTS = {"drink": "drinking carried thing the {f}"}


@dataclass(frozen=True, slots=True)
class Ground:
    """One instantiated rule."""

    rule: str  # e.g. take/c
    command: str  # what a player types
    event: str  # what the engine's trace calls it, lower case
    pre: int
    add: int
    delete: int
    size: int  # number of preconditions
    arguments: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """A quest: won once one of ``win`` holds; until then, any of ``fail`` loses the game."""

    win: tuple[int, ...]
    fail: tuple[int, ...]
    reward: int
    required: bool


@dataclass(frozen=True, slots=True)
class Mode:
    """Everything that changes during play: the facts, the quests completed, the document read."""

    facts: int  # bit i: fact i of the game holds
    quests: int  # bit i: quest i has been completed
    read: bool
    # (holder, what was laid there during play, latest first): the engine lists things in this order
    laid: tuple[tuple[str, tuple[str, ...]], ...] = ()


class GroundGame:
    """The rules of one game, instantiated.

    ``pruned`` names verbs (first words of commands) that no player may use; ``examine``, ``look`` and
    ``inventory`` are never actions here, since :attr:`State.scene` tells what they would tell.
    """

    def __init__(self, game: Game, digest: str, pruned: Iterable[str] = ()) -> None:
        self.digest = digest
        self.goal: str = game.objective
        self.names: dict[str, str] = {key: info.name or key for key, info in game.infos.items()}
        pruned = {"examine", "look", "inventory", *pruned}
        rules = [
            rule for name, rule in game.kb.rules.items() if game.kb.inform7_commands[name].split()[0] not in pruned
        ]
        facts, actions = _fixpoint(game, rules)
        # TextWorld picks, among applicable actions with one command, the one with most preconditions.
        actions.sort(key=lambda action: -len(action.preconditions))
        self.facts: list[Proposition] = sorted(facts, key=str)
        self.bit: dict[Proposition, int] = {fact: 1 << index for index, fact in enumerate(self.facts)}
        self._texts = [str(fact) for fact in self.facts]
        self.actions = [self._ground(game, action) for action in actions]
        self.quests = [self._goal(quest) for quest in game.quests]
        self.document = any(info.name == DOCUMENT for info in game.infos.values())
        self._sights = self._sights_of_document() if self.document else ()
        self.rooms: dict[int, Variable] = {
            self.bit[fact]: fact.arguments[1]
            for fact in self.facts
            if fact.name == "at" and fact.arguments[0].name == "P"
        }
        start = self.mask(game.world.facts)
        self._types = game.kb.types
        self.start = Mode(start, self._completed(start, 0), read=False)

    # -- building
    # ------------------------------------------------------------------------------------------------

    def mask(self, facts: Iterable[Proposition]) -> int:
        """The bits of ``facts``; facts that can never hold raise ``KeyError``."""
        mask = 0
        for fact in facts:
            mask |= self.bit[fact]
        return mask

    def _ground(self, game: Game, action: Action) -> Ground:
        rule = game.kb.rules[action.name]
        names = {placeholder.name: self.names[var.name] for placeholder, var in rule.match(action).items()}
        added, removed = set(action.postconditions), set(action.preconditions)
        return Ground(
            rule=action.name,
            command=game.kb.inform7_commands[action.name].format(**names),
            event=_EVENTS.get(action.name, game.kb.inform7_events[action.name]).format(**names).lower(),
            pre=self.mask(action.preconditions),
            add=self.mask(added - removed),
            delete=self.mask(removed - added),
            size=len(action.preconditions),
            arguments=tuple(action.variables),
        )

    def _goal(self, quest: Quest) -> Goal:
        def masks(events: Iterable[Any]) -> tuple[int, ...]:
            conditions = [event.condition.preconditions for event in events]
            return tuple(self.mask(facts) for facts in conditions if all(fact in self.bit for fact in facts))

        return Goal(
            win=masks(quest.win_events),
            fail=masks(quest.fail_events),
            reward=quest.reward,
            required=bool(quest.win_events) and not quest.optional,
        )

    def _sights_of_document(self) -> tuple[int, ...]:
        """Masks of facts; the document is in sight when one of them holds."""
        here = {room: bit for bit, room in ((self.bit[f], f.arguments[1]) for f in self.facts if _is_player(f))}
        place = {f.arguments[0]: f.arguments[1] for f in self.facts if f.name == "at" and not _is_player(f)}
        sights = []
        for fact in self.facts:
            if fact.arguments and self.names.get(fact.arguments[0].name) == DOCUMENT and len(fact.arguments) == 2:
                holder = fact.arguments[1]
                if fact.name == "in" and holder.type == "I":
                    sights.append(self.bit[fact])
                elif fact.name == "at" and holder in here:
                    sights.append(self.bit[fact] | here[holder])
                elif fact.name == "on" and place.get(holder) in here:
                    sights.append(self.bit[fact] | here[place[holder]])
                elif fact.name == "in" and place.get(holder) in here:
                    opened = self.bit.get(Proposition("open", [holder]), 0)
                    sights.append(self.bit[fact] | here[place[holder]] | opened)
        return tuple(sights)

    # -- playing
    # -------------------------------------------------------------------------------------------------

    def applicable(self, facts: int) -> list[Ground]:
        """The actions whose preconditions hold."""
        return [action for action in self.actions if facts & action.pre == action.pre]

    def in_sight(self, facts: int) -> bool:
        """Whether the player can read the document here."""
        return any(facts & sight == sight for sight in self._sights)

    def commands(self, mode: Mode) -> tuple[str, ...]:
        """Sorted commands a player may give; reading the document is offered until it has been read."""
        commands = {action.command for action in self.actions if mode.facts & action.pre == action.pre}
        if not mode.read and self.in_sight(mode.facts):
            commands.add(READ)
        return tuple(sorted(commands))

    def after(self, mode: Mode, events: Iterable[str]) -> Mode:
        """The mode after the engine reported these events as succeeded, in order.

        Raises ``LookupError`` for an event that is no action here: then facts and engine would part ways.
        """
        facts, read, laid = mode.facts, mode.read, mode.laid
        for event in events:
            event = event.lower()
            if event == READ_EVENT:
                read = True
                continue
            action = next((a for a in self.actions if a.event == event and facts & a.pre == a.pre), None)
            if action is None:
                raise LookupError(event)
            facts = (facts | action.add) & ~action.delete
            laid = self._lay(laid, action)
        return Mode(facts, self._completed(facts, mode.quests), read, laid)

    def _lay(self, laid: tuple[tuple[str, tuple[str, ...]], ...], action: Ground) -> tuple[Any, ...]:
        """The order of things laid down, after an action that may take one or lay one down."""
        if not laid and action.rule not in _LAYING:
            return laid
        piles = {holder: list(things) for holder, things in laid}
        thing = next((v.name for v in action.arguments if self.is_a(v.type, "o")), "")
        for things in piles.values():
            if thing in things:
                things.remove(thing)
        if action.rule in _LAYING:
            kinds = _LAYING[action.rule]
            holder = next(v.name for v in action.arguments if self.is_a(v.type, kinds))
            piles.setdefault(holder, []).insert(0, thing)
        return tuple((holder, tuple(things)) for holder, things in sorted(piles.items()) if things)

    def _completed(self, facts: int, quests: int) -> int:
        for index, goal in enumerate(self.quests):
            if not quests >> index & 1 and any(facts & win == win for win in goal.win):
                quests |= 1 << index
        return quests

    def won(self, mode: Mode) -> bool:
        """Whether every required quest is complete."""
        return all(mode.quests >> i & 1 for i, goal in enumerate(self.quests) if goal.required)

    def failed(self, facts: int, quests: int) -> bool:
        """Whether a quest that is not complete has failed; the engine then ends the game as lost."""
        return any(
            facts & fail == fail for i, goal in enumerate(self.quests) if not quests >> i & 1 for fail in goal.fail
        )

    def score(self, mode: Mode) -> int:
        """The sum of the rewards of the completed quests."""
        return sum(goal.reward for i, goal in enumerate(self.quests) if mode.quests >> i & 1)

    def is_a(self, kind: str, ancestor: str) -> bool:
        """Whether things of type ``kind`` are things of type ``ancestor``."""
        return kind == ancestor or kind in self._types.descendants(ancestor)

    def room(self, facts: int) -> Variable:
        """Where the player is."""
        return next(room for bit, room in self.rooms.items() if facts & bit)

    def holds(self, facts: int) -> list[Proposition]:
        """The facts of a mask, in a fixed order."""
        return [fact for index, fact in enumerate(self.facts) if facts >> index & 1]

    def digest_of(self, mode: Mode) -> str:
        """A digest of the game and everything that can change in it, the same in every process."""
        held = [text for index, text in enumerate(self._texts) if mode.facts >> index & 1]
        text = "\n".join([self.digest, *held, f"quests {mode.quests:b}", f"read {mode.read}", *map(repr, mode.laid)])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_player(fact: Proposition) -> bool:
    return bool(fact.name == "at" and fact.arguments[0].name == "P")


def _fixpoint(game: Game, rules: list[Any]) -> tuple[set[Proposition], list[Action]]:
    """Every fact that can come true and every action that can become applicable, deletions ignored.

    Gives what asking ``State.all_applicable_actions`` until nothing new comes would give, several times as fast: facts
    are tuples of small integers here, and a rule is looked at again only when a fact of its kind is new.
    """
    facts = set(game.world.facts)
    constants: Mapping[Any, Variable] = game.kb.types.constants_mapping
    things = sorted({*constants.values(), *(thing for fact in facts for thing in fact.arguments)})
    number = {thing: index for index, thing in enumerate(things)}
    patterns = [_Pattern(rule, game, number) for rule in rules]
    rows: dict[str, list[tuple[int, ...]]] = {}
    new, known = facts, set(facts)
    actions: dict[tuple[int, tuple[int, ...]], Action] = {}
    while new:
        for fact in new:
            rows.setdefault(fact.name, []).append(tuple(number[thing] for thing in fact.arguments))
        names, new = {fact.name for fact in new}, set()
        for index, pattern in enumerate(patterns):
            if names.isdisjoint(pattern.names):
                continue
            for filled in pattern.matches(rows):
                if (index, filled) not in actions:
                    mapping = {slot: things[thing] for slot, thing in zip(pattern.slots, filled, strict=True)}
                    actions[index, filled] = action = pattern.rule.instantiate(mapping)
                    new.update(action.postconditions)
        new -= known
        known |= new
    return known, [actions[key] for key in sorted(actions)]


class _Pattern:
    """The preconditions of a rule, its placeholders numbered."""

    def __init__(self, rule: Any, game: Game, number: Mapping[Variable, int]) -> None:
        constants = game.kb.types.constants_mapping
        self.rule = rule
        self.slots = tuple(rule.placeholders)
        places = {slot: index for index, slot in enumerate(self.slots)}
        self.conditions = [(c.name, tuple(places[slot] for slot in c.parameters)) for c in rule.preconditions]
        self.names = {name for name, _ in self.conditions}
        self.begin = tuple(number[constants[slot]] if slot in constants else -1 for slot in self.slots)
        kinds = [{slot.type, *game.kb.types.descendants(slot.type)} for slot in self.slots]
        self.fitting = [{index for thing, index in number.items() if thing.type in kind} for kind in kinds]

    def matches(self, rows: Mapping[str, list[tuple[int, ...]]]) -> list[tuple[int, ...]]:
        """Every way to fill the placeholders, each with a thing of its own, so that all preconditions hold."""
        found = [self.begin]
        for name, places in self.conditions:
            found = [
                filled for before in found for row in rows.get(name, ()) if (filled := self._fill(before, places, row))
            ]
        return found

    def _fill(self, before: tuple[int, ...], places: tuple[int, ...], row: tuple[int, ...]) -> tuple[int, ...] | None:
        filled: list[int] | None = None
        for place, thing in zip(places, row, strict=True):
            held = before[place] if filled is None else filled[place]
            if held == thing:
                continue
            if held >= 0 or thing not in self.fitting[place] or thing in (before if filled is None else filled):
                return None
            if filled is None:
                filled = list(before)
            filled[place] = thing
        return before if filled is None else tuple(filled)
