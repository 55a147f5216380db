# SPDX-License-Identifier: Apache-2.0
"""Who gets the device when: each policy on a virtual clock, with domains that want much, little, or at times."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paracore.backend._allowance import Allowance
from paracore.backend._arbiter import UNLIMITED, Arbiter
from paracore.backend._policies import POLICIES, Claim
from paracore.testing import VirtualDevice, VirtualDomain

MS = 1_000_000
SECOND = 1000 * MS


def greedy(*weights, cost=3 * MS, **more):
    return [VirtualDomain(Claim(f"d{n}", weight=weight), cost, **more) for n, weight in enumerate(weights)]


def far(world, weights):
    """How far from its part by weight the worst is, as a part of that; a turn, and a unit of each, is no matter of time."""
    passing = 20 * MS + sum(domain.cost for domain in world.domains.values())
    due = [world.now * weight / sum(weights) for weight in weights]
    used = world.used().values()
    return max((abs(had - part) - passing) / part for had, part in zip(used, due, strict=True))


def jain(values):
    return sum(values) ** 2 / (len(values) * sum(value * value for value in values))


every_policy = pytest.mark.parametrize("policy", POLICIES)

# --- any policy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [name for name, policy in POLICIES.items() if not policy.rations])
def test_alone_a_domain_is_told_once(policy):
    world = VirtualDevice(policy, 1, greedy(100))
    assert [lease.budget for lease in world.arbiter.turn(0)] == []
    world.run(10 * SECOND)
    assert world.domains["d0"].claim.turns == 1
    assert world.domains["d0"].claim.lease == UNLIMITED


domains = st.lists(
    st.builds(
        lambda weight, priority, cost, every, begins: (weight, priority, cost * MS // 10, every * MS, begins * MS),
        st.integers(1, 8),
        st.integers(0, 5),
        st.integers(10, 300),
        st.sampled_from([0, 0, 10, 33, 500]),
        st.integers(0, 500),
    ),
    min_size=1,
    max_size=10,
)


@every_policy
@settings(max_examples=20)
@given(domains=domains, slots=st.integers(1, 4), change=st.sampled_from(sorted(POLICIES)))
def test_nothing_rests_while_somebody_waits_and_all_get_something(policy, domains, slots, change):
    made = [
        VirtualDomain(Claim(f"d{n}", weight, priority), cost, every, begins)
        for n, (weight, priority, cost, every, begins) in enumerate(domains)
    ]
    world = VirtualDevice(policy, slots, made)
    world.run(SECOND)
    world.arbiter.change(change, slots, world.now)
    world.run(2 * SECOND)
    holders = world.arbiter.holders()
    if not world.arbiter.policy.rations:
        waiting = [claim for claim in world.arbiter.policy.claims.values() if claim.waits_since is not None]
        assert len(holders) == slots or not waiting
    assert sum(claim.used for claim in world.arbiter.policy.claims.values()) <= slots * 2 * SECOND
    world.arbiter.change("fair", slots, world.now)
    before = world.used()
    world.run(world.now + 6 * SECOND)
    for name, domain in world.domains.items():
        assert world.used()[name] > before[name], name
        assert domain.claim.credit <= 2 * 20 * MS


@every_policy
@pytest.mark.parametrize(("before", "after"), [(1 << 30, 2), (4, 1), (1, 3)])
def test_other_slots_are_kept_from_the_next_unit_on(policy, before, after):
    uneven = [
        VirtualDomain(Claim(f"d{n}"), 3 * MS + n * MS // 7) for n in range(4)
    ]  # or all would always end at one instant
    world = VirtualDevice(policy, before, uneven).run(SECOND)
    world.arbiter.change(policy, after, world.now)
    used = world.used()
    world.run(world.now + 10 * MS)
    assert len(world.arbiter.holders()) <= after
    world.run(world.now + 4 * SECOND)
    rise = [now - then for now, then in zip(world.used().values(), used.values(), strict=True)]
    assert sum(rise) == pytest.approx(after * 4 * SECOND, rel=0.03)
    assert jain(rise) > 0.98


@every_policy
def test_another_weight_counts_from_the_next_unit_on(policy):
    world = VirtualDevice(policy, 1, greedy(100, 100)).run(SECOND)
    light, heavy = (domain.claim for domain in world.domains.values())
    heavy.weight = 300
    world.arbiter.recall(heavy)
    used = world.used()
    world.run(world.now + 12 * SECOND)
    ratio = (heavy.used - used["d1"]) / (light.used - used["d0"])
    assert ratio == pytest.approx(1 if policy == "priority" else 3, rel=0.03)


def most(spans, rate):
    """By how much more was used than the rate makes of the time, in that time from a unit's begin to another's end that had most."""
    more = worst = 0
    for before, span in zip([spans[0], *spans], spans, strict=False):
        rested = span.began - before.ended if before is not span else 0
        more = max(0, more - rested * rate) + (span.ended - span.began) * (1 - rate)
        worst = max(worst, more)
    return worst


@every_policy
@settings(max_examples=15)
@given(
    rate=st.integers(2, 90),
    burst=st.integers(1, 200),
    cost=st.integers(1, 100),
    slots=st.sampled_from([1, 2, 1 << 30]),
    neighbours=st.integers(0, 2),
)
def test_within_any_time_a_limit_is_exceeded_by_the_burst_and_a_unit_at_most(
    policy, *, rate, burst, cost, slots, neighbours
):
    """Which is nothing in the long run, and so less than 2 %."""
    limit = Allowance(rate / 100, burst * MS, level=burst * MS)
    limited = VirtualDomain(Claim("limited", limit=limit), cost * MS)
    world = VirtualDevice(policy, slots, [limited, *greedy(*(neighbours * [100]))]).run(20 * SECOND)
    spans = [span for span in world.spans if span.name == "limited"]
    assert most(spans, rate / 100) <= (burst + cost + 1) * MS
    assert limited.claim.used <= 0.01 * rate * 20 * SECOND + (burst + cost + 1) * MS


@every_policy
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_a_limit_of_device_time_holds(policy, rate):
    limited = VirtualDomain(Claim("limited", limit=Allowance(rate, 50 * MS)), 7 * MS)
    VirtualDevice(policy, 2, [limited, *greedy(100, 100)]).run(20 * SECOND)
    assert limited.claim.used <= rate * 20 * SECOND * 1.02 + 50 * MS
    if policy != "fixed-share":  # and of a burst that is shorter than a period of `deadline` some lapses
        assert limited.claim.used >= rate * 20 * SECOND * (0.95 if policy == "deadline" else 0.98)


@pytest.mark.parametrize("policy", [policy for policy in POLICIES if policy != "fixed-share"])
@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_a_limit_is_no_less_beside_one_that_has_none(policy, rate):
    """Whose lease has no end while the limited one may not go: nobody says anything when it may again."""
    limited = VirtualDomain(Claim("limited", limit=Allowance(rate, 50 * MS)), 7 * MS)
    VirtualDevice(policy, 1, [limited, *greedy(100)]).run(20 * SECOND)
    assert limited.claim.used == pytest.approx(rate * 20 * SECOND, rel=0.05)


@pytest.mark.parametrize("policy", [policy for policy in POLICIES if policy != "fixed-share"])
def test_a_limit_is_waited_for_though_others_have_all_slots_and_do_nothing(policy):
    limited = VirtualDomain(Claim("limited", limit=Allowance(0.5, 50 * MS)), 7 * MS)
    other = VirtualDomain(Claim("other"), 30 * SECOND)
    arbiter = VirtualDevice(policy, 1, [limited, other]).arbiter
    arbiter.want(limited.claim, 0)
    arbiter.turn(0)
    arbiter.charge(limited.claim, 100 * MS, 0)
    arbiter.give_back(limited.claim, 0)
    arbiter.want(limited.claim, 0)
    arbiter.want(other.claim, 0)
    assert [(lease.claim, lease.budget) for lease in arbiter.turn(0)] == [(other.claim, UNLIMITED)]
    at = arbiter.wake_at(0)
    (lease,) = arbiter.turn(at)
    assert (lease.claim, lease.begins) == (other.claim, False)
    assert lease.budget < UNLIMITED


mixed = st.lists(st.tuples(st.integers(1, 4), st.integers(3, 200)), min_size=2, max_size=6)


@pytest.mark.parametrize("policy", [policy for policy in POLICIES if policy != "priority"])
@settings(max_examples=12)
@example(parts=[(1, 60), (1, 3)])
@example(parts=[(1, 200), (1, 3), (2, 1)])
@given(parts=mixed)
def test_shares_are_by_weight_by_every_policy_that_has_any(policy, parts):
    """Within 2 % in a minute, though units of one may be far longer than the turn of another that waits for their ends."""
    weights = [weight for weight, _ in parts]
    made = [VirtualDomain(Claim(f"d{n}", weight), cost * MS) for n, (weight, cost) in enumerate(parts)]
    world = VirtualDevice(policy, 1, made).run(60 * SECOND)
    assert far(world, weights) <= 0.02, world.used()


@every_policy
def test_a_domain_that_goes_leaves_nothing(policy):
    world = VirtualDevice(policy, 1, greedy(100, 100, 100)).run(SECOND)
    for name in ("d0", "d1"):
        world.leave(world.domains[name])
    world.run(2 * SECOND)
    assert set(world.arbiter.policy.claims) == {"d2"}
    assert not world.arbiter.wake_at(world.now)
    if policy != "fixed-share":
        assert world.used()["d2"] > 1.2 * SECOND


# --- fair -------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(
    parts=st.lists(st.tuples(st.integers(1, 8), st.integers(20, 200)), min_size=2, max_size=8), slots=st.integers(1, 3)
)
def test_shares_are_by_weight_whatever_units_cost(parts, slots):
    """Within 2 % of the weights after a while: each is a turn and a unit off at most."""
    total = sum(weight for weight, _ in parts)
    feasible = [weight for weight, _ in parts if weight * slots <= 0.8 * total]
    made = [VirtualDomain(Claim(f"d{n}", weight), cost * MS // 10) for n, (weight, cost) in enumerate(parts)]
    used = VirtualDevice("fair", slots, made).run(20 * SECOND).used()
    if len(feasible) < len(parts):
        return  # who is due a whole slot, or more, would never have to wait for its turn
    for n, (weight, _) in enumerate(parts):
        due = 20 * SECOND * slots * weight / total
        assert abs(used[f"d{n}"] - due) <= 0.02 * due + 60 * MS, (n, used, due)


@pytest.mark.parametrize("slots", [1, 2])
def test_eight_greedy_domains(slots):
    weights = (100, 100, 200, 400, 100, 100, 200, 400)
    used = VirtualDevice("fair", slots, greedy(*weights)).run(20 * SECOND).used()
    assert jain([used[f"d{n}"] / weight for n, weight in enumerate(weights)]) > 0.999


weights = st.integers(1, 10000)


@settings(max_examples=50)
@example(weights=[3, 7], uses=[(7, 0), (7, 0)])
@given(
    weights=st.lists(weights, min_size=2, max_size=5),
    uses=st.lists(st.tuples(st.integers(1, 50), st.sampled_from([0, 0, 1, -1, 12345])), min_size=2, max_size=20),
)
def test_somebody_is_next_however_much_each_has_used(weights, uses):
    """Each uses as much as some of its turns and one more nanosecond or less, so that it is about to have credit again."""
    arbiter, claims = Arbiter("fair", 1), [Claim(f"d{n}", weight) for n, weight in enumerate(weights)]
    for claim in claims:
        arbiter.enter(claim)
        arbiter.want(claim, 0)
    arbiter.turn(0)
    for turns, more in uses:
        (holder,) = arbiter.holders()
        arbiter.charge(holder, turns * 20 * MS * holder.weight // max(weights) - 1 + more, 0)
        arbiter.give_back(holder, 0)
        arbiter.want(holder, 0)
        arbiter.turn(0)
        assert len(arbiter.holders()) == 1


def test_who_had_it_alone_owes_nothing():
    early, late = greedy(100, 100)
    late.begins = 5 * SECOND
    world = VirtualDevice("fair", 1, [early, late]).run(5 * SECOND)
    alone = early.claim.used
    world.run(15 * SECOND)
    assert abs((early.claim.used - alone) - late.claim.used) < 50 * MS


def test_who_rests_cannot_save_up():
    steady, other = greedy(100, 100)
    at_times = VirtualDomain(Claim("at times"), 2 * MS, every=100 * MS, ends=10 * SECOND)
    world = VirtualDevice("fair", 1, [steady, other, at_times]).run(10 * SECOND)
    at_times.every, at_times.ends, at_times.begins = 0, 1 << 62, 0
    before = world.used()
    world.at(10 * SECOND, lambda: world.ask(at_times))
    world.run(13 * SECOND)
    gained = {name: used - before[name] for name, used in world.used().items()}
    assert max(gained.values()) - min(gained.values()) < 90 * MS


# --- priority -----------------------------------------------------------------------------------------


def test_the_highest_priority_is_served_first_and_others_do_not_starve():
    low, high = VirtualDomain(Claim("low"), 5 * MS), VirtualDomain(Claim("high", priority=3), 5 * MS)
    VirtualDevice("priority", 1, [low, high]).run(10 * SECOND)
    assert high.claim.used > 0.9 * 10 * SECOND
    assert low.claim.used > 0
    assert max(low.latencies) < 1.5 * SECOND


def test_who_has_aged_has_its_turn():
    """A worker reads all that it is told before it does anything: a lease that is taken back at once is none."""
    arbiter = Arbiter("priority", 1)
    low, high, higher = (Claim(f"priority {priority}", priority=priority) for priority in (0, 3, 5))
    for claim in (low, high, higher):
        arbiter.enter(claim)
    arbiter.want(low, 0)
    arbiter.want(high, 1 * SECOND)
    (lease,) = arbiter.turn(1 * SECOND)
    assert lease.claim is low
    assert lease.budget == 20 * MS
    assert not arbiter.turn(1 * SECOND)
    arbiter.want(higher, 1 * SECOND + MS)
    assert [tuple(lease) for lease in arbiter.turn(1 * SECOND + MS)] == [(low, 0, False)]


def test_a_higher_priority_ends_a_lower_ones_turn():
    low = VirtualDomain(Claim("low"), 2 * MS)
    high = VirtualDomain(Claim("high", priority=1), 2 * MS, every=100 * MS, begins=50 * MS)
    VirtualDevice("priority", 1, [low, high]).run(5 * SECOND)
    assert max(high.latencies) <= 4 * MS


# --- fixed share --------------------------------------------------------------------------------------


def test_nobody_gets_more_than_its_part_though_others_rest():
    busy, resting = greedy(100, 300)
    resting.begins = 10 * SECOND
    world = VirtualDevice("fixed-share", 1, [busy, resting]).run(10 * SECOND)
    assert 0.24 * 10 * SECOND < busy.claim.used < 0.255 * 10 * SECOND
    world.run(20 * SECOND)
    assert 0.24 * 20 * SECOND < busy.claim.used < 0.255 * 20 * SECOND
    assert resting.claim.used > 0.72 * 10 * SECOND


# --- deadline -----------------------------------------------------------------------------------------


def test_a_film_among_greedy_domains_is_in_time():
    """30 pictures a second of 4 ms: its part of 1/8 is 4.17 ms each."""
    film = VirtualDomain(Claim("film", period=SECOND // 30), 4 * MS, every=SECOND // 30)
    world = VirtualDevice("deadline", 1, [film, *greedy(*(7 * [100]))]).run(20 * SECOND)
    assert max(film.latencies) <= 4 * MS + 3 * MS
    greedy_ones = [used for name, used in world.used().items() if name != "film"]
    assert jain(greedy_ones) > 0.999


@settings(max_examples=15)
@given(
    costs=st.lists(st.integers(10, 120), min_size=1, max_size=9),
    weights=st.lists(st.integers(1, 8), min_size=9, max_size=9),
    used=st.integers(20, 95),
)
def test_a_film_within_its_part_waits_for_one_unit_of_others_at_most(costs, weights, used):
    """Whatever the others' units cost and whatever they are due: those that have declared nothing do not go before it."""
    period = SECOND // 30
    weighed = weights[: len(costs)]
    part = 1 / (1 + sum(weighed))
    film = VirtualDomain(Claim("film", weight=1, period=period), int(part * period * used / 100), every=period)
    others = [
        VirtualDomain(Claim(f"d{n}", weight), cost * MS // 10)
        for n, (cost, weight) in enumerate(zip(costs, weighed, strict=True))
    ]
    VirtualDevice("deadline", 1, [film, *others]).run(3 * SECOND)
    assert len(film.latencies) >= 89
    assert max(film.latencies) <= film.cost + max(other.cost for other in others)


def test_films_share_what_they_are_due_and_leave_the_rest():
    """Three films take half of the device in time; five greedy domains get the other half in equal parts."""
    films = [
        VirtualDomain(Claim(f"film{n}", period=SECOND // 25), 5 * MS - n * MS, every=SECOND // 25) for n in range(3)
    ]
    world = VirtualDevice("deadline", 1, [*films, *greedy(*(5 * [100]))]).run(20 * SECOND)
    assert max(latency for film in films for latency in film.latencies) <= (5 + 4 + 3 + 3) * MS
    rest = [used for name, used in world.used().items() if name.startswith("d")]
    assert sum(rest) == pytest.approx(20 * SECOND * (1 - 12 / 40), rel=0.01)
    assert jain(rest) > 0.999


def test_who_declares_too_high_a_rate_gets_its_part_all_the_same():
    liar = VirtualDomain(Claim("liar", period=MS), 4 * MS)
    world = VirtualDevice("deadline", 1, [liar, *greedy(100, 100, 100)]).run(20 * SECOND)
    assert liar.claim.used < 0.27 * 20 * SECOND
    assert min(world.used().values()) > 0.23 * 20 * SECOND


@settings(max_examples=20)
@example(periods=[1000 * SECOND])
@given(periods=st.lists(st.integers(0, 60).map(lambda n: int(MS * 10 ** (n / 10))), min_size=1, max_size=4))
def test_whatever_rates_are_declared_everybody_gets_its_part(periods):
    """Periods of 1 ms to 1000 s, greedy all, beside a film within its part and domains that declare nothing."""
    liars = [VirtualDomain(Claim(f"liar{n}", period=period), 3 * MS) for n, period in enumerate(periods)]
    count = len(liars) + 4
    film = VirtualDomain(Claim("film", period=SECOND // 30), SECOND // 30 * 9 // 10 // count, every=SECOND // 30)
    world = VirtualDevice("deadline", 1, [*liars, film, *greedy(100, 100, 100)]).run(20 * SECOND)
    used = world.used()
    rest = (20 * SECOND - used.pop("film")) / len(used)
    assert all(part == pytest.approx(rest, rel=0.05) for part in used.values()), used
    assert max(film.latencies) <= 2 * SECOND // 30
    assert max(max(domain.latencies) for domain in world.domains.values()) <= 600 * MS


@pytest.mark.timeout(10)
def test_a_debt_of_ever_so_many_short_periods_is_counted_and_not_walked_through():
    """A domain of little weight that declares a high rate would stop the supervisor by each long unit."""
    liar = VirtualDomain(Claim("liar", weight=1, period=MS), 4 * MS)
    world = VirtualDevice("deadline", 1, [liar, *greedy(10000)]).run(SECOND)
    credit, deadline = liar.claim.credit, liar.claim.deadline
    world.arbiter.charge(liar.claim, 10**15, world.now)
    part = 1 / 10001
    assert 1 <= liar.claim.credit <= 1 + part * MS
    assert liar.claim.deadline - deadline == pytest.approx((10**15 - credit) / part, rel=1e-6)
