"""The pure decisions of webhooks, and the connection that goes where it was checked to go."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.adapters.webhook_post import WebhookPost
from services.gateway.webhooks.announcing import delivery_id
from services.gateway.webhooks.targets import TargetRefused, checked
from services.gateway.webhooks.verdicts import Attempt, Policy, delay_s, verdict
from tests.gateway.receiver import Receiver

POLICY = Policy(attempts=5, backoff_s=5.0, backoff_max_s=3600.0, disable_after_s=86400.0)
AT = datetime(2026, 1, 2, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"),)


def attempt(status: int | None, at: datetime = AT) -> Attempt:
    return Attempt(at, 12, status, "", None if status else "ConnectError: refused")


@given(st.integers(1, 60), st.floats(0, 1))
def test_backoff_grows_is_bounded_and_jittered(failures: int, dice: float) -> None:
    waited_s = delay_s(failures, POLICY, dice)
    plain_s = min(POLICY.backoff_max_s, POLICY.backoff_s * 4.0 ** (failures - 1))
    assert 0.75 * plain_s <= waited_s <= 1.25 * plain_s


@pytest.mark.parametrize(
    ("status", "left", "expected"),
    [
        (200, 4, "delivered"),
        (204, 0, "delivered"),
        (302, 4, "pending"),
        (500, 1, "pending"),
        (500, 0, "failed"),
        (None, 3, "pending"),
        (None, 0, "failed"),
        (410, 4, "failed"),
    ],
)
def test_what_follows_an_answer(status: int | None, left: int, expected: str) -> None:
    found = verdict(
        attempt(status),
        failures=1,
        attempts_left=left,
        failing_since=None,
        policy=POLICY,
        dice=0.5,
    )
    assert found.status == expected
    assert (found.failing_since is None) == (expected == "delivered")
    assert (found.disable is not None) == (status == 410)


@pytest.mark.parametrize(("failing_h", "disabled"), [(23, False), (25, True)])
def test_only_long_failure_without_any_success_disables(failing_h: int, disabled: bool) -> None:
    since = AT - timedelta(hours=failing_h)
    found = verdict(
        attempt(500), failures=2, attempts_left=3, failing_since=since, policy=POLICY, dice=0.5
    )
    assert (found.disable is not None) == disabled
    assert found.failing_since == since


def test_a_delivery_has_the_same_id_however_often_it_is_made() -> None:
    assert delivery_id("w", 7) == delivery_id("w", 7)
    assert len({delivery_id(w, n) for w in ("v", "w") for n in (1, 2)}) == 4


NOT_PUBLIC = """
10.1.2.3 127.0.0.1 169.254.169.254 172.16.0.1 192.168.0.1 100.64.0.1 0.0.0.0 224.0.0.1
255.255.255.255 198.18.0.1 192.0.0.8 240.0.0.1 ::1 :: fe80::1%eth0 fd12::1 ff02::1
::ffff:127.0.0.1 2002:7f00:1:: 64:ff9b::a00:1 2001:db8::1
"""


@pytest.mark.parametrize("address", NOT_PUBLIC.split())
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(TargetRefused, match="private"):
        checked("https", [address], ())
    with pytest.raises(TargetRefused, match="private"):
        checked("https", ["93.184.215.14", address], ())


def test_public_addresses_and_allowed_networks_pass() -> None:
    assert checked("https", ["93.184.215.14", "2606:2800:21f::1"], ()) == "93.184.215.14"
    assert checked("http", ["127.0.0.1"], LOOPBACK) == "127.0.0.1"
    with pytest.raises(TargetRefused, match="https"):
        checked("http", ["93.184.215.14"], LOOPBACK)
    with pytest.raises(TargetRefused, match="nowhere"):
        checked("https", [], ())


async def test_the_checked_address_is_the_one_that_is_connected_to() -> None:
    asked: list[str] = []

    async def find(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async with Receiver().listening() as receiver:
        post = WebhookPost(LOOPBACK, 5.0, find=find)
        url = f"http://hooks.example:{receiver.port}/hook"
        sent = await post.send(url, {"webhook-id": "msg_1"}, b"{}")
        assert sent.delivered
        assert asked == ["hooks.example"]
        assert receiver.got[0][0]["host"] == f"hooks.example:{receiver.port}"
        rebound = await post.send(url, {"webhook-id": "msg_2"}, b"{}")
        assert rebound.status_code is None
        assert "private" in str(rebound.error)
        assert receiver.ids == ["msg_1"]


async def test_the_certificate_is_checked_for_the_name_not_the_address() -> None:
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    async def find(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async with Receiver(certificate=authority.issue_cert("hooks.example")).listening() as receiver:
        post = WebhookPost(LOOPBACK, 5.0, find=find, trust=trust)
        port = receiver.port
        good = await post.send(f"https://hooks.example:{port}/hook", {"webhook-id": "1"}, b"{}")
        assert good.status_code == 200, good.error
        bad = await post.send(f"https://other.example:{port}/hook", {"webhook-id": "2"}, b"{}")
        assert bad.status_code is None
        assert "certificate" in str(bad.error).lower()
        assert receiver.ids == ["1"]


async def test_an_endless_answer_is_read_no_further_than_its_beginning() -> None:
    async with Receiver().listening() as receiver:
        receiver.answers(200, "x" * 5_000_000)
        sent = await WebhookPost(LOOPBACK, 5.0).send(receiver.url, {"webhook-id": "1"}, b"{}")
    assert sent.delivered
    assert len(sent.response) == 1000
