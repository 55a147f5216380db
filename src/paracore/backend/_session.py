# SPDX-License-Identifier: Apache-2.0
"""One video session in the worker: where it stands, which spans its driver has, what it may say.

Every event is paid for. An ``input_done`` or ``output_ready`` is paid for by the span that it gives back,
``drained`` by the drain, ``session_failed`` by the session, the first ``source_change`` by the session and
each further one by a span that went either way on the output side since the last. What is not paid for
waits, with all that comes behind it, and the driver is not asked for more.

A session whose domain is about to be detached is *leaving*. Its driver is drained, without a word of that to the domain:
all that it was given comes out. What is queued from then on stays lent and is not answered: the domain waits, as for a
slow device, until its channel ends.

The driver is ours but the codec behind it eats a domain's octets: whatever it raises ends this session.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from paracore.backend._admission import bounded_rate, bounded_samples, declared_rate, stream_rate
from paracore.backend._buffer import Buffer  # noqa: TC001 - a field of a NamedTuple
from paracore.classes import video
from paracore.drivers import CallFailed
from paracore.protocol import SESSION, Refusal, State, Step
from paracore.protocol import Direction as Role

if TYPE_CHECKING:
    from paracore.drivers import VideoSession

__all__ = ["Loan", "Session"]

_ROLES = {video.Direction.DECODE: Role.DECODE, video.Direction.ENCODE: Role.ENCODE}
_STEPS = {
    event: Step(event.NAME)
    for event in (video.InputDone, video.OutputReady, video.SourceChange, video.Drained, video.SessionFailed)
}
_NOTHING_IN_IT = video.OutputFlag.CANCELLED | video.OutputFlag.EMPTY
_NO_ERRORS = frozenset({0, video.Error.CANCELLED})
_DRAINS = frozenset({State.FORMATLESS_DRAINING, State.DRAINING})
_MARKS = (video.OutputReady, video.SourceChange, video.Drained)


class Loan(NamedTuple):
    """A span that the driver has: octets of a buffer."""

    buffer: Buffer
    length: int


class Session:
    """See the module.

    Attributes:
        driver: the codec instance.
        descriptor: what is watched for completions; -1 once the session is over.
        token: by which the loop names it.
        seconds: that its driver may be at one job; 0: as long as it likes.
        deadline: the same in nanoseconds.
        stuck: its driver hangs and would not come back from ``close``.
        rate: pictures in a thousand seconds that it has declared; 0: none.
        expected: samples of a picture that it has declared, of a decoder; 0: none.
        reserved: samples a second of its device, as far as the supervisor has been asked.
        asking: the supervisor has not answered yet.
        leaving: its domain is about to be detached.
        left: it was, and all that it was given before has come out.
        weighing: so often it has not answered about a decoder's stream.
        stream: the format that it is weighed by: a decoder's once it is met, an encoder's as it was set.
    """

    def __init__(self, number: int, call: video.Open, driver: VideoSession, job_deadline: float = 0.0) -> None:
        self.number = number
        self.call = call
        self.driver = driver
        self.descriptor = driver.fileno()
        self.token = 0
        self.seconds = job_deadline
        self.deadline = round(job_deadline * 1e9)
        self.stuck = False
        self.rate = self.expected = 0
        self.reserved = 0
        self.asking = False
        self.weighing = 0
        self.stream: video.PictureFormat | None = None
        self.inputs: dict[int, Loan] = {}
        self.outputs: dict[int, Loan] = {}
        self.inputs_done = self.outputs_ready = self.errors = self.octets_in = self.octets_out = 0
        self._rows = SESSION[_ROLES[call.direction]]
        self._state = State.FORMATLESS
        self._paid_change = True
        self._held: deque[video.Event] = deque()
        self.leaving = self.left = False
        self._drains = False
        self._kept: list[int] = []

    @property
    def state(self) -> State:
        """Where it stands, see ``protocol``."""
        return self._state

    @property
    def works(self) -> bool:
        """Whether its driver has something to do, be it that it waits for the domain meanwhile."""
        return self.descriptor >= 0 and (bool(self.inputs) or self._state in _DRAINS or self._drains)

    @property
    def outstanding(self) -> int:
        """Spans that the driver has, and the answer that waits for the supervisor's."""
        return len(self.inputs) + len(self.outputs) + self.asking

    @property
    def buffers(self) -> int:
        """In which those spans are."""
        return len({loan.buffer.number for spans in (self.inputs, self.outputs) for loan in spans.values()})

    @property
    def decodes(self) -> bool:
        return self.call.direction is video.Direction.DECODE

    def declared(self, control: video.Control) -> int:
        """What it has declared by a control; fails if that is not for an encoder, whose format says it."""
        if control is video.Control.RATE:
            return self.rate
        if not self.decodes:
            raise CallFailed(video.Error.NO_ENTRY)
        return self.expected

    def need(self) -> int:
        """Samples a second of what it declares; as long as nobody knows the size of its pictures, of the expected one."""
        return self._need(self.rate, self.expected)

    def need_with(self, request: video.ControlSet) -> int:
        """The same if it declared this, too. Fails as ``declared`` does."""
        self.declared(request.control)
        if request.control is video.Control.RATE:
            return self._need(bounded_rate(request.value), self.expected)
        return self._need(self.rate, bounded_samples(request.value))

    def need_with_format(self, wish: video.PictureFormat) -> int:
        """The same of an encoder with another format, which may say the rate itself."""
        return declared_rate(wish) or stream_rate(wish.width * wish.height, self.rate)

    def _need(self, rate: int, expected: int) -> int:
        return stream_rate(self.stream.width * self.stream.height if self.stream else expected, rate)

    def check(self, step: Step) -> None:
        """Refuses what cannot come now, with the error that the session table names."""
        outcome = self._rows[self._state][step]
        if isinstance(outcome, Refusal):
            raise CallFailed(video.Error[outcome.name])

    def take(self, step: Step) -> None:
        """Goes on to the state after a step that was checked."""
        outcome = self._rows[self._state][step]
        if not isinstance(outcome, State):
            raise LookupError(f"the driver says {step} while {self._state}")  # noqa: TRY004 - it is no type's fault
        self._state = outcome

    def admit(self, rate: int, refusal: video.Failure | None) -> None:
        """The supervisor's answer to what it was asked for. Fails if it says no."""
        if self.descriptor < 0:
            raise CallFailed(video.Error.CANCELLED)  # and what was reserved has been given back
        if refusal:
            raise CallFailed(refusal.error, refusal.limit, refusal.allowed)
        self.reserved = rate

    def lend(self, spans: dict[int, Loan], cookie: int, loan: Loan) -> None:
        """A span goes to the driver."""
        if cookie in spans:
            raise CallFailed(video.Error.BUSY)
        spans[cookie] = loan
        loan.buffer.lent += 1

    def pay(self) -> None:
        """The domain has paid for one more source change, by a span for outputs or a flush."""
        self._paid_change = True

    @staticmethod
    def unlend(spans: dict[int, Loan], cookie: int) -> None:
        """A span is the domain's again, if it was not already."""
        if loan := spans.pop(cookie, None):
            loan.buffer.lent -= 1

    def events(self) -> list[video.Event]:
        """What has happened and may be said, in order."""
        self._held.extend(self.driver.completions())
        told: list[video.Event] = []
        while self._held and self._payable(self._held[0]):
            event = self._asked_for(self._held.popleft()) if self._drains else self._held.popleft()
            if event is None:
                continue
            self.take(_STEPS[type(event)])
            self._settle(event)
            told.append(event)
        return told

    # --- leaving ------------------------------------------------------------------------------------

    def leave(self) -> bool:
        """Takes nothing more. Whether its driver is to be drained now: not behind a drain that is under way."""
        self.leaving = True
        if self.left or self._drains or self._state in _DRAINS:
            return False
        self._drains = True
        return True

    def keep(self, cookie: int) -> None:
        """An input that came too late."""
        self._kept.append(cookie)

    def asked_to_drain(self) -> None:
        """The domain wants to hear of the end as well: it does, if nothing that it has given is kept."""
        self.take(Step.DRAIN)
        if self.left and not self._kept:
            self._held.append(video.Drained())

    def flushed(self) -> None:
        """Its driver has nothing any more, and what was kept is not wanted."""
        self._held.extend(video.InputDone(cookie, video.Error.CANCELLED) for cookie in self._kept)
        self._kept.clear()
        self._drains, self.left = False, True

    def _asked_for(self, event: video.Event) -> video.Event | None:
        """What the domain is told of it: of the end only if it has asked for that meanwhile, behind nothing that is kept.

        A span that the driver has marked as the end, without a picture, stays lent.
        """
        is_end = isinstance(event, video.Drained)
        marks_end = _marks(event) and isinstance(self._next_mark(), video.Drained)
        if is_end:
            self._drains, self.left = False, True
        if not (is_end or marks_end) or (self._state in _DRAINS and not self._kept):
            return event
        if isinstance(event, video.OutputReady) and video.OutputFlag.EMPTY not in event.flags:
            return event._replace(flags=event.flags & ~video.OutputFlag.LAST)
        return None

    def _next_mark(self) -> video.Event | None:
        """What the driver has said of outputs next."""
        return next((event for event in self._held if isinstance(event, _MARKS)), None)

    def counts(self) -> dict[str, int]:
        """What it has done so far, by the names of ``Books``."""
        return {
            "inputs": self.inputs_done,
            "outputs": self.outputs_ready,
            "errors": self.errors,
            "octets_in": self.octets_in,
            "octets_out": self.octets_out,
            "copies": self.driver.copies,
        }

    @property
    def waits(self) -> bool:
        """Whether something is held back until the domain has paid for it."""
        return bool(self._held)

    def over(self) -> None:
        """Stops the driver and takes back all spans, also when the driver raises: it is its last word.

        One that is stuck is left to itself, with its spans: it may still write into them, until this process is ended.
        """
        self.descriptor = -1
        self._held.clear()
        if self.stuck:
            return
        try:
            self.driver.close()
        finally:
            for spans in (self.inputs, self.outputs):
                for cookie in list(spans):
                    self.unlend(spans, cookie)

    def fail(self) -> None:
        """From now on only ``close`` is answered."""
        self._state = State.FAILED

    def _payable(self, event: video.Event) -> bool:
        if (
            self._drains
            and _marks(event)
            and not any(isinstance(later, _MARKS) for later in islice(self._held, 1, None))
        ):
            return False  # what follows says whether it is the end of the drain, or of a format
        return self._paid_change or not isinstance(event, video.SourceChange)

    def _settle(self, event: video.Event) -> None:
        """Takes the payment. A cookie that the driver does not have is a fault of the driver's, as is too long a picture."""
        if isinstance(event, video.OutputReady):
            loan = self._give_back(self.outputs, event.cookie)
            if event.bytes_used > loan.length and video.OutputFlag.CANCELLED not in event.flags:
                raise ValueError(f"the driver says {event.bytes_used} octets are in {loan.length}")
            self.outputs_ready += 1
            self.octets_out += 0 if event.flags & _NOTHING_IN_IT else event.bytes_used
            self._paid_change = True
        elif isinstance(event, video.InputDone):
            self.octets_in += self._give_back(self.inputs, event.cookie).length
            self.inputs_done += 1
            self.errors += event.error not in _NO_ERRORS
        elif isinstance(event, video.SourceChange):
            self._paid_change = False

    def _give_back(self, spans: dict[int, Loan], cookie: int) -> Loan:
        loan = spans.get(cookie)
        if loan is None:
            raise LookupError(f"the driver gives span {cookie} back, and does not have it")
        self.unlend(spans, cookie)
        return loan


def _marks(event: video.Event) -> bool:
    """Whether it is marked as the last output of something."""
    return isinstance(event, video.OutputReady) and video.OutputFlag.LAST in event.flags
