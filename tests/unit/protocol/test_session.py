# SPDX-License-Identifier: Apache-2.0
"""The session table: total, sound, and in step with the specification."""

from __future__ import annotations

import pytest

from paracore.classes import video
from paracore.protocol import SESSION, Direction, Refusal, State, Step, advance
from paracore.protocol._session import REQUESTS

ROWS = [(direction, state) for direction, table in SESSION.items() for state in table]
# A session has no number yet when these are sent.
NOT_OF_A_SESSION = {"capability_query", "open"}
# Answers that change nothing.
STILL = {"capability_query_reply", "format_get_reply", "control_get_reply", "control_set_reply", "recall_reply"}


@pytest.mark.parametrize(("direction", "state"), ROWS)
def test_each_state_has_an_outcome_for_each_step(direction, state):
    assert set(SESSION[direction][state]) == set(Step)


@pytest.mark.parametrize(("direction", "state"), ROWS)
def test_each_outcome_is_a_state_of_the_role_or_a_refusal(direction, state):
    for outcome in SESSION[direction][state].values():
        assert outcome in SESSION[direction] or isinstance(outcome, Refusal)


@pytest.mark.parametrize("direction", Direction)
def test_each_state_is_reached_and_reaches_closed(direction):
    table = SESSION[direction]
    reached = _reach(table, State.CLOSED)
    assert reached == set(table)
    assert all(State.CLOSED in _reach(table, state) for state in table)


def _reach(table, start):
    seen, todo = set(), [start]
    while todo:
        state = todo.pop()
        if state not in seen:
            seen.add(state)
            todo += [outcome for outcome in table[state].values() if outcome in table]
    return seen


@pytest.mark.parametrize(("direction", "state"), ROWS)
def test_a_request_is_answered_and_never_a_violation(direction, state):
    assert all(SESSION[direction][state][step] is not Refusal.VIOLATION for step in REQUESTS)


@pytest.mark.parametrize(("direction", "state"), ROWS)
def test_what_the_backend_says_is_never_refused_with_an_error(direction, state):
    for step in set(Step) - REQUESTS:
        outcome = SESSION[direction][state][step]
        assert not isinstance(outcome, Refusal) or outcome is Refusal.VIOLATION


def test_the_steps_are_the_messages_of_the_class():
    names = {message.name for message in video.MESSAGES.values()} | {
        message.reply.NAME for message in video.MESSAGES.values() if message.reply is not None
    }
    assert {str(step) for step in Step} == names - NOT_OF_A_SESSION - STILL


def test_the_refusals_are_errors_of_the_wire():
    errors = {error.name.lower() for error in video.Error}
    assert {str(refusal) for refusal in Refusal} - {"violation"} <= errors


def test_the_directions_are_those_of_the_wire():
    assert {str(direction) for direction in Direction} == {direction.name.lower() for direction in video.Direction}
    assert set(SESSION) == set(Direction)
    assert {state for table in SESSION.values() for state in table} == set(State)


def walk(direction, *steps):
    """The states that a life goes through."""
    states = [State.CLOSED]
    for step in steps:
        outcome = advance(direction, states[-1], step)
        assert isinstance(outcome, State), (states[-1], step, outcome)
        states.append(outcome)
    return states


def test_the_life_of_a_decoder():
    states = walk(
        Direction.DECODE,
        Step.OPEN_REPLY, Step.QUEUE_INPUT, Step.SOURCE_CHANGE, Step.QUEUE_OUTPUT, Step.INPUT_DONE, Step.OUTPUT_READY,
        Step.SOURCE_CHANGE, Step.DRAIN, Step.OUTPUT_READY, Step.DRAINED, Step.QUEUE_INPUT, Step.FLUSH,
        Step.FLUSH_REPLY, Step.CLOSE, Step.CLOSE_REPLY,
    )  # fmt: skip
    assert states[3] is State.RUNNING
    assert states[8] is State.DRAINING
    assert states[-1] is State.CLOSED


def test_the_life_of_an_encoder():
    states = walk(
        Direction.ENCODE,
        Step.OPEN_REPLY, Step.FORMAT_SET, Step.FORMAT_SET_REPLY, Step.QUEUE_OUTPUT, Step.QUEUE_INPUT,
        Step.OUTPUT_READY, Step.CONTROL_SET, Step.DRAIN, Step.DRAINED, Step.CLOSE, Step.CLOSE_REPLY,
    )  # fmt: skip
    assert states[3] is State.READY
    assert states[5] is State.RUNNING


@pytest.mark.parametrize(
    ("direction", "state", "step", "outcome"),
    [
        (Direction.DECODE, State.FORMATLESS, Step.FORMAT_GET, Refusal.AGAIN),
        (Direction.DECODE, State.RUNNING, Step.FORMAT_SET, Refusal.NOT_SUPPORTED),
        (Direction.DECODE, State.DRAINING, Step.DRAIN, Refusal.BUSY),
        (Direction.DECODE, State.RUNNING, Step.DRAINED, Refusal.VIOLATION),
        (Direction.DECODE, State.DRAINING, Step.FLUSH_REPLY, State.RUNNING),
        (Direction.DECODE, State.FAILED, Step.QUEUE_INPUT, Refusal.IO),
        (Direction.DECODE, State.CLOSED, Step.QUEUE_INPUT, Refusal.NO_ENTRY),
        (Direction.ENCODE, State.FORMATLESS, Step.QUEUE_INPUT, Refusal.BUSY),
        (Direction.ENCODE, State.RUNNING, Step.FORMAT_SET, Refusal.BUSY),
        (Direction.ENCODE, State.RUNNING, Step.SOURCE_CHANGE, Refusal.VIOLATION),
    ],
)
def test_what_the_specification_says_of_a_step(direction, state, step, outcome):
    assert advance(direction, state, step) is outcome
