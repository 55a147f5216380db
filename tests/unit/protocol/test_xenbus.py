# SPDX-License-Identifier: Apache-2.0
"""The xenbus table: total, and two ends which keep it always meet again, whatever befalls them."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paracore.protocol import (
    XENBUS,
    XENBUS_START,
    XENBUS_STOP,
    End,
    Move,
    XenbusAction,
    XenbusState,
    xenbus_start,
    xenbus_state,
    xenbus_step,
    xenbus_stop,
)

S, A = XenbusState, XenbusAction
LETS_GO = {A.RECONFIGURE, A.CLOSE, A.FORGET}


@pytest.mark.parametrize("end", End)
def test_each_pair_has_a_move(end):
    assert set(XENBUS[end]) == set(S)
    assert all(set(row) == set(S) for row in XENBUS[end].values())
    assert set(XENBUS_START[end]) == set(XENBUS_STOP[end]) == set(S)


@pytest.mark.parametrize("end", End)
def test_a_move_that_waits_moves_nowhere(end):
    rows = [*XENBUS[end].items(), *((own, {None: XENBUS_STOP[end][own]}) for own in S)]
    for own, row in rows:
        for move in row.values():
            assert move.state == own or move.action is not A.WAIT


@pytest.mark.parametrize(("end", "never"), [(End.FRONTEND, S.INIT_WAIT), (End.BACKEND, S.INITIALISED)])
def test_an_end_never_says_what_is_the_others(end, never):
    moves = {move for row in XENBUS[end].values() for move in row.values()}
    moves |= {*XENBUS_START[end].values(), *XENBUS_STOP[end].values()}
    assert all(move.state is not never for move in moves)


@pytest.mark.parametrize("end", End)
def test_what_is_shared_is_let_go_of_before_it_is_said_so(end):
    """Only these states promise to the other end that nothing is held."""
    for own in (S.INITIALISED, S.CONNECTED, S.CLOSING):
        for move in XENBUS[end][own].values():
            if move.state in {S.INITIALISING, S.CLOSED, S.RECONFIGURING, S.RECONFIGURED, S.UNKNOWN}:
                assert move.action in LETS_GO


@pytest.mark.parametrize("end", End)
def test_an_unknown_state_is_a_closed_one(end):
    for own in set(S) - {S.INITIALISING}:
        assert xenbus_step(end, own, S.UNKNOWN) == xenbus_step(end, own, S.CLOSED)


@pytest.mark.parametrize(
    ("value", "state"),
    [
        *((str(int(state)), state) for state in S if state),
        *(
            (value, S.UNKNOWN)
            for value in (None, "", "0", "9", "-1", "01", "1 ", "1\n", "four", "4" * 4000, "\uff14", "\0")
        ),
    ],
)
def test_states_are_read(value, state):
    assert xenbus_state(value) is state


@pytest.mark.parametrize(
    ("end", "own", "other", "move"),
    [
        # the usual way
        (End.BACKEND, S.INITIALISING, S.INITIALISING, Move(A.PUBLISH, S.INIT_WAIT)),
        (End.FRONTEND, S.INITIALISING, S.INIT_WAIT, Move(A.PUBLISH, S.INITIALISED)),
        (End.BACKEND, S.INIT_WAIT, S.INITIALISED, Move(A.CONNECT, S.CONNECTED)),
        (End.FRONTEND, S.INITIALISED, S.CONNECTED, Move(A.CONNECT, S.CONNECTED)),
        # skipped states
        (End.FRONTEND, S.CONNECTED, S.CLOSED, Move(A.CLOSE, S.CLOSED)),
        (End.BACKEND, S.CONNECTED, S.UNKNOWN, Move(A.CLOSE, S.CLOSED)),
        (End.BACKEND, S.CONNECTED, S.INITIALISED, Move(A.WAIT, S.CONNECTED)),
        # the frontend comes back
        (End.BACKEND, S.CONNECTED, S.INITIALISING, Move(A.RECONFIGURE, S.INITIALISING)),
        (End.BACKEND, S.CONNECTED, S.RECONFIGURING, Move(A.RECONFIGURE, S.RECONFIGURED)),
        (End.BACKEND, S.CLOSED, S.INITIALISING, Move(A.PUBLISH, S.INIT_WAIT)),
        # the backend comes back
        (End.FRONTEND, S.CONNECTED, S.INIT_WAIT, Move(A.RECONFIGURE, S.RECONFIGURING)),
        (End.FRONTEND, S.CONNECTED, S.INITIALISING, Move(A.RECONFIGURE, S.RECONFIGURING)),
        (End.FRONTEND, S.CONNECTED, S.RECONFIGURING, Move(A.RECONFIGURE, S.RECONFIGURED)),
        (End.FRONTEND, S.RECONFIGURED, S.INIT_WAIT, Move(A.PUBLISH, S.INITIALISED)),
        (End.FRONTEND, S.CLOSED, S.INIT_WAIT, Move(A.RECONFIGURE, S.INITIALISING)),
        # unplugged
        (End.BACKEND, S.UNKNOWN, S.CONNECTED, Move(A.FORGET, S.UNKNOWN)),
        (End.FRONTEND, S.UNKNOWN, S.CONNECTED, Move(A.FORGET, S.UNKNOWN)),
    ],
)
def test_what_the_specification_says_of_a_step(end, own, other, move):
    assert xenbus_step(end, own, other) == move


class World(NamedTuple):
    """Both nodes, and what is shared: each set of pages has a number of its own, 0 is none."""

    states: tuple[XenbusState, XenbusState] = (S.INITIALISING, S.INITIALISING)
    pages: int = 0
    """What the frontend holds."""
    published: int = 0
    mapped: int = 0
    leaving: tuple[bool, bool] = (False, False)
    alive: tuple[bool, bool] = (True, True)


FRONT, BACK = 0, 1
ENDS = (End.FRONTEND, End.BACKEND)


def put(pair, index, *, to):
    return (to, pair[1]) if index == FRONT else (pair[0], to)


def done(world, index, move):
    """One committed step: the action, and the state that is written."""
    world = world._replace(states=put(world.states, index, to=move.state))
    if index == FRONT:
        pages = 0 if move.action in LETS_GO else world.pages
        published = world.published
        if move.action is A.PUBLISH:
            pages = published = world.published + 1
        return world._replace(pages=pages, published=published)
    mapped = 0 if move.action in LETS_GO | {A.PUBLISH} else world.mapped
    return world._replace(mapped=world.published if move.action is A.CONNECT else mapped)


def moved(world, index):
    """The world after this end's next step; the same when it waits."""
    own, other = world.states[index], world.states[1 - index]
    if not world.alive[index] or (world.leaving[index] and own is S.CLOSED):
        return world
    move = xenbus_step(ENDS[index], own, other)
    if (index, move.action) == (BACK, A.CONNECT) and world.pages != world.published:
        move = xenbus_stop(End.BACKEND, own)  # they went with the process that had published them: it gives up
    return done(world, index, move)


def killed(world, index):
    """What was shared goes with the process; its node stays."""
    held = {"pages": 0} if index == FRONT else {"mapped": 0}
    return world._replace(alive=put(world.alive, index, to=False), leaving=put(world.leaving, index, to=False), **held)


def started(world, index):
    world = world._replace(alive=put(world.alive, index, to=True))
    return done(world, index, xenbus_start(ENDS[index], world.states[index]))


def left(world, index):
    world = world._replace(leaving=put(world.leaving, index, to=True))
    return done(world, index, xenbus_stop(ENDS[index], world.states[index]))


def said(world, index, state):
    """A process of another make comes back with a state of its own choice, holding nothing."""
    return killed(world, index)._replace(
        alive=put(world.alive, index, to=True), states=put(world.states, index, to=state)
    )


FAULTS = [
    *((killed, index) for index in (FRONT, BACK)),
    *((started, index) for index in (FRONT, BACK)),
    *((left, index) for index in (FRONT, BACK)),
    (said, FRONT, S.INITIALISING),
    (said, BACK, S.INITIALISING),
    (said, BACK, S.INIT_WAIT),
]


def settled(world):
    """It is as it should be when both wait."""
    if world.states == (S.CONNECTED, S.CONNECTED):
        return 0 != world.pages == world.published == world.mapped
    gone = [S.CLOSED, S.UNKNOWN]
    return world.mapped == 0 and any(world.leaving[index] and world.states[index] in gone for index in (FRONT, BACK))


def normal(world):
    """The same world with small numbers for its pages."""
    names = {0: 0}
    for number in (world.pages, world.published, world.mapped):
        names.setdefault(number, len(names))
    return world._replace(pages=names[world.pages], published=names[world.published], mapped=names[world.mapped])


def reached(start):
    """Every world that steps and faults lead to, in any order."""
    seen, todo = set(), [start]
    while todo:
        world = todo.pop()
        if world in seen:
            continue
        seen.add(world)
        todo += [normal(moved(world, index)) for index in (FRONT, BACK)]
        todo += [normal(fault(world, *rest)) for fault, *rest in FAULTS]
    return seen


def steps(world):
    return {after for index in (FRONT, BACK) if (after := normal(moved(world, index))) != world}


WORLDS = reached(World())


def test_whatever_befalls_them_they_meet_again_or_are_closed():
    """In every world there is, both being alive, whoever is quicker: no standstill but a good one, no going round."""
    assert len(WORLDS) > 200
    height = {}

    def climb(world, path):
        assert world not in path, "they go round in circles"
        if world not in height:
            after = steps(world)
            if not after and all(world.alive):
                assert settled(world), world
            height[world] = 1 + max((climb(each, path | {world}) for each in after), default=-1)
        return height[world]

    assert max(climb(world, frozenset()) for world in WORLDS) < 40


def test_connected_ends_share_the_same_pages():
    for world in WORLDS:
        if world.states == (S.CONNECTED, S.CONNECTED) and world.pages and all(world.alive):
            assert world.pages == world.mapped == world.published


@pytest.mark.parametrize("front", set(S) - {S.UNKNOWN})
@pytest.mark.parametrize("back", set(S) - {S.UNKNOWN})
def test_processes_that_find_any_states_at_all_connect(front, back):
    world = World(states=(front, back), published=7)
    for first in (FRONT, BACK):
        here = started(started(world, first), 1 - first)
        for turn in range(40):
            here = moved(here, turn % 2)
        assert here.states == (S.CONNECTED, S.CONNECTED)
        assert settled(here)


@pytest.mark.parametrize("index", [FRONT, BACK])
def test_a_device_that_is_unplugged_is_let_go_of(index):
    for world in WORLDS:
        gone = world._replace(states=(S.UNKNOWN, S.UNKNOWN), alive=(True, True))
        for turn in range(4):
            gone = moved(gone, turn % 2)
        assert (gone.pages, gone.mapped, gone.states) == (0, 0, (S.UNKNOWN, S.UNKNOWN))


def test_an_end_that_has_waited_long_enough_is_closed_by_a_second_stop():
    for end in End:
        for own in set(S) - {S.UNKNOWN}:
            once = xenbus_stop(end, own)
            assert xenbus_stop(end, once.state).state is S.CLOSED


class TwoEnds(RuleBasedStateMachine):
    """Both ends step in any order, with kills, starts and leaving between."""

    @initialize()
    def begin(self):
        self.world = World()

    @rule(fault=st.sampled_from(FAULTS))
    def happens(self, fault):
        which, *rest = fault
        self.world = which(self.world, *rest)

    @rule(index=st.sampled_from([FRONT, BACK]))
    def steps(self, index):
        self.world = moved(self.world, index)

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def left_alone_they_come_to_rest(self):
        here = self.world
        for index in (FRONT, BACK):
            here = here if here.alive[index] else started(here, index)
        for turn in range(40):
            here = moved(here, turn % 2)
        assert settled(here), here


TwoEnds.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
test_two_ends = TwoEnds.TestCase
