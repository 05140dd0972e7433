"""The supervisor keeps real processes running, alone on its folder, and leaves none behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from cli.children import FIRST_DELAY_S, LONGEST_DELAY_S, STEADY_AFTER_S, Backoff
from cli.folders import Folders, folders_at
from cli.logfiles import rotate, tail_of
from cli.ports import choose_ports
from cli.processes import ProcessRecord, end_leftovers, is_ours, start_time_of
from cli.supervisor import Supervisor, Tier, end_stale_children, is_held, only_one, read_state
from cli.trouble import Trouble
from tests.cli.fakes import PROGRAM, fake_spec, fake_tier
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = folders_at(tmp_path / "var")
    made.make()
    return made


Start = Callable[..., Supervisor]


@pytest_asyncio.fixture
async def supervise(folders: Folders) -> AsyncIterator[Start]:
    running: list[Supervisor] = []

    def make(*tiers: Tier) -> Supervisor:
        running.append(Supervisor(folders, tiers))
        return running[-1]

    yield make
    for one in running:
        one.kill()
        await one.stop(1)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_killed_child_is_started_again_on_its_port(
    supervise: Start, folders: Folders
) -> None:
    ports = choose_ports(["one", "two"], folders.ports_file)
    supervisor = supervise(fake_tier(folders, ports))
    await supervisor.start()
    before = read_state(folders)
    assert before is not None
    pid = before["children"]["one"]["pid"]
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        state = read_state(folders)
        child = state["children"]["one"] if state else {}
        return bool(child.get("ready")) and child.get("pid") not in (None, pid)

    await eventually(back)
    assert time.monotonic() - began < 3
    after = read_state(folders)
    assert after is not None
    assert after["children"]["one"]["restarts"] == 1
    assert after["children"]["one"]["ports"] == {"http": ports["one"]}
    assert after["children"]["two"] == before["children"]["two"]


async def test_stopping_ends_every_child_and_removes_the_state_file(
    supervise: Start, folders: Folders
) -> None:
    supervisor = supervise(fake_tier(folders, choose_ports(["one", "two"], folders.ports_file)))
    await supervisor.start()
    pids = [child.record.pid for child in supervisor.children if child.record]
    assert len(pids) == 2
    assert await supervisor.stop() == []
    assert not any(alive(pid) for pid in pids)
    assert read_state(folders) is None


async def test_a_child_deaf_to_sigterm_is_killed_and_named(
    supervise: Start, folders: Folders
) -> None:
    port = choose_ports(["deaf"], folders.ports_file)["deaf"]
    supervisor = supervise(Tier((fake_spec(folders, "deaf", port, "--deaf"),)))
    await supervisor.start()
    assert await supervisor.stop(within_s=0.2) == ["deaf"]


async def test_a_later_tier_waits_for_the_one_before_and_stops_first(
    supervise: Start, folders: Folders
) -> None:
    ports = choose_ports(["base", "above"], folders.ports_file)
    first = Tier((fake_spec(folders, "base", ports["base"], "--unready"),))
    second = Tier((fake_spec(folders, "above", ports["above"]),))
    supervisor = supervise(first, second)
    with pytest.raises(Trouble, match="Base did not become ready") as trouble:
        await supervisor.start(ready_within_s=1)
    assert any("ready" in line for line in trouble.value.details)
    assert [child.starts for child in supervisor.children] == [1, 0]


async def test_a_program_that_keeps_dying_is_reported_with_its_own_words(
    supervise: Start, folders: Folders
) -> None:
    supervisor = supervise(Tier((fake_spec(folders, "bad", 1, "--failing"),)))
    with pytest.raises(Trouble, match="Bad ended 3 times") as trouble:
        await supervisor.start()
    assert "the fake service was told to fail" in trouble.value.details


async def test_what_a_child_needs_is_done_again_after_its_restart(
    supervise: Start, folders: Folders
) -> None:
    port = choose_ports(["one"], folders.ports_file)["one"]
    plain, done = fake_spec(folders, "one", port), []

    async def prepare() -> None:
        done.append(time.monotonic())
        if len(done) == 2:
            raise OSError("not yet")

    spec = type(plain)(plain.name, plain.argv, plain.env, plain.log, plain.ready_url, prepare)
    supervisor = supervise(Tier((spec,)))
    await supervisor.start()
    child = supervisor.children[0]
    assert child.record is not None
    os.kill(child.record.pid, signal.SIGKILL)
    await eventually(lambda: len(done) == 3 and child.ready.is_set())
    assert child.restarts == 2


def test_restarts_are_quick_at_first_and_never_slower_than_five_seconds() -> None:
    backoff = Backoff()
    delays = [backoff.delay_s(0.1) for _ in range(10)]
    assert delays[0] == FIRST_DELAY_S
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_S
    assert backoff.delay_s(STEADY_AFTER_S) == FIRST_DELAY_S


def test_a_second_supervisor_on_the_same_folder_is_refused(folders: Folders) -> None:
    assert not is_held(folders)
    with only_one(folders):
        assert is_held(folders)
        with pytest.raises(Trouble, match="already runs on"), only_one(folders):
            pass
    assert not is_held(folders)


def test_a_strangers_process_with_a_recorded_number_is_left_alone(folders: Folders) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        started = start_time_of(stranger.pid) or ""
        other_command = ProcessRecord(stranger.pid, started, ("python", "-m", "services.ingest"))
        other_time = ProcessRecord(stranger.pid, "1", tuple(map(str, stranger.args)))  # type: ignore[arg-type]
        assert end_leftovers([other_command, other_time]) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_leftovers_of_ours_are_ended_before_a_new_start(folders: Folders) -> None:
    port = choose_ports(["left"], folders.ports_file)["left"]
    argv = (sys.executable, "-I", "-S", str(PROGRAM), str(port), "--deaf")
    left = subprocess.Popen(argv)
    record = ProcessRecord(left.pid, start_time_of(left.pid) or "", argv)
    deadline = time.monotonic() + 5
    while not is_ours(record) and time.monotonic() < deadline:
        time.sleep(0.01)
    state = {"pid": 1, "url": "", "children": {"left": record.as_json(), "gone": {"pid": None}}}
    folders.state_file.write_text(json.dumps(state))
    assert end_stale_children(folders) == [record]
    assert left.wait(5) == -signal.SIGKILL


def test_ports_are_remembered_while_they_are_free(folders: Folders) -> None:
    names = ["nats", "gateway", "ingest"]
    first = choose_ports(names, folders.ports_file)
    assert choose_ports(names, folders.ports_file) == first
    assert len(set(first.values())) == 3


def test_a_log_that_grew_too_large_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    log.write_text("old line\n" * 10)
    assert rotate(log, max_bytes=20)
    assert log.read_text() == ""
    log.write_text("new line\n" * 10)
    assert rotate(log, max_bytes=20)
    assert tail_of(tmp_path / "one.log.1", lines=1) == ("new line",)
    assert tail_of(tmp_path / "one.log.2", lines=1) == ("old line",)
    assert not rotate(log, max_bytes=20)


def start_supervised(var: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.supervised", str(var)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def ready_line(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 30)
    return dict(json.loads(line))


async def test_sigterm_stops_a_whole_system_with_exit_code_0(folders: Folders) -> None:
    process = start_supervised(folders.var)
    ready = await ready_line(process)
    assert ready["event"] == "ready"
    state = read_state(folders)
    assert state is not None
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 20) == 0
    assert not any(alive(child["pid"]) for child in state["children"].values())


@linux_only
async def test_no_child_outlives_a_killed_supervisor(folders: Folders) -> None:
    process = start_supervised(folders.var)
    await ready_line(process)
    state = read_state(folders)
    assert state is not None
    process.kill()
    await asyncio.to_thread(process.wait, 5)
    pids = [child["pid"] for child in state["children"].values()]
    await eventually(lambda: not any(alive(pid) for pid in pids), within_s=5)
    assert not is_held(folders)
