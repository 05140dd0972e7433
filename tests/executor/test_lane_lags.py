"""What an engine knows of its lanes: asked when something may have changed, and no more."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from contracts.subjects import Consumer, lane_consumer
from runtime.bus import Bus, Lag
from services.executor.lane_lags import LaneLags
from tests.support.bus import BusFactory
from tests.support.examples import JOB, LANE, whole_job

BELIEVED_S = 1.5


@dataclass
class Watched:
    """Lags on a clock of the test's own, and every question to the bus."""

    bus: Bus
    now_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    def lags(self, monkeypatch: pytest.MonkeyPatch) -> LaneLags:
        ask = self.bus.consumer_lag

        async def counted(consumer: Consumer) -> Lag:
            self.asked.append(consumer.durable)
            return await ask(consumer)

        monkeypatch.setattr(self.bus, "consumer_lag", counted)
        return LaneLags(self.bus, BELIEVED_S, lambda: self.now_s)


@pytest.fixture
async def watched(bus_factory: BusFactory) -> Watched:
    return Watched(await bus_factory("executor"))


async def ready(bus_factory: BusFactory) -> None:
    """A step on the lane."""
    await (await bus_factory("composer")).publish(whole_job(JOB)[3])


async def test_empty_lane_is_asked_once_until_a_while_has_passed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags = watched.lags(monkeypatch)
    for _ in range(5):
        assert await lags.of([LANE], {}) == {LANE: Lag(0, 0, 0)}
    assert len(watched.asked) == 1
    watched.now_s = BELIEVED_S
    await lags.of([LANE], {})
    assert len(watched.asked) == 2


async def test_step_that_is_heard_of_counts_without_a_question(
    watched: Watched, bus_factory: BusFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags = watched.lags(monkeypatch)
    await lags.of([LANE], {})
    await ready(bus_factory)
    lags.heard(LANE)
    assert await lags.of([LANE], {}) == {LANE: Lag(1, 0, 0)}
    lags.took(LANE)
    assert lags.quiet([LANE])
    assert await lags.of([LANE], {}) == {LANE: Lag(0, 0, 0)}
    assert len(watched.asked) == 1


async def test_step_that_was_heard_of_and_is_not_there_makes_the_lane_unknown(
    watched: Watched, bus_factory: BusFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags = watched.lags(monkeypatch)
    await lags.of([LANE], {})
    await ready(bus_factory)
    lags.heard(LANE)
    assert await watched.bus.fetch(lane_consumer(LANE)) is not None
    assert not lags.quiet([LANE])
    lags.missed(LANE)
    assert not lags.quiet([LANE])
    assert await lags.of([LANE], {}) == {LANE: Lag(0, 1, 0)}
    assert len(watched.asked) == 2


async def test_what_the_asker_holds_itself_is_no_news_and_others_are(
    watched: Watched, bus_factory: BusFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags = watched.lags(monkeypatch)
    await ready(bus_factory)
    assert await watched.bus.fetch(lane_consumer(LANE)) is not None
    assert await lags.of([LANE], {LANE: 1}) == {LANE: Lag(0, 0, 0)}
    assert await lags.of([LANE], {}) == {LANE: Lag(0, 1, 0)}
    assert len(watched.asked) == 2


async def test_lane_that_cannot_be_asked_counts_as_empty_and_is_asked_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags = watched.lags(monkeypatch)
    for _ in range(2):
        assert await lags.of(["comfyui-unknown-fp8"], {}) == {"comfyui-unknown-fp8": Lag(0, 0, 0)}
    assert len(watched.asked) == 2


async def test_lanes_are_quiet_from_an_empty_look_until_a_step_is_heard_or_a_while_has_passed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags, other = watched.lags(monkeypatch), "webui-stills"
    await lags.of([LANE], {})
    assert lags.quiet([LANE])
    assert not lags.quiet([LANE, other])
    await lags.of([other], {})
    assert lags.quiet([LANE, other])
    lags.heard(other)
    assert not lags.quiet([LANE, other])
    assert lags.quiet([LANE])
    watched.now_s = BELIEVED_S
    assert not lags.quiet([LANE])


async def test_lane_with_something_in_hand_is_not_quiet(
    watched: Watched, bus_factory: BusFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags = watched.lags(monkeypatch)
    await ready(bus_factory)
    assert await watched.bus.fetch(lane_consumer(LANE)) is not None
    await lags.of([LANE], {LANE: 1})
    assert not lags.quiet([LANE])
