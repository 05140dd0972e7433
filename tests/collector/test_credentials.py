"""Content credentials: signed last, read back independently, and nothing else changed."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
import pytest
from pydantic import ValidationError

from cli.trial_certificate import TEST_NAME, CertificateFiles, ensure_test_certificate
from contracts.base import StoredFile, sha256_hex
from contracts.events import JobOutputs
from runtime.delivery_facts import inspect_delivery
from runtime.media_store_local import LocalMediaStore
from runtime.outcome import Retry
from services.collector.adapters.signing import (
    Signer,
    SigningFailed,
    ToSign,
    problem_of,
    sign_files,
)
from services.collector.adapters.unchanged import change_of
from services.collector.collection import Making, collect
from services.collector.credentials import ASSEMBLED, ASSERTION, DRAWN, GENERATED
from services.collector.faults import ResultFault
from services.collector.handlers import Deps, on_execution_finished
from services.collector.manifest import JobManifest
from services.collector.settings import Settings
from services.collector.storing import Collected, stored_files
from services.collector.verification import delivery_faults
from tests.collector import scene
from tests.collector.chain import event_of, leave_chain, of_frames, of_stills
from tests.collector.scene import SECRET_PROMPT, SIZE, Clip, Left, Order, Stage, leave
from tests.support.bus import BusFactory
from tests.support.examples import JOB
from tests.support.media import photo, tone, watch

ONE_CLIP = Order(33, (33,))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    return ensure_test_certificate(tmp_path_factory.mktemp("certificate"), datetime.now(UTC))


def signer_of(certificate: CertificateFiles) -> Signer:
    return Signer(certificate.chain_file, certificate.key_file)


async def run(
    media: LocalMediaStore, left: Left, signer: Signer | None, *, tell_prompt: bool = False
) -> Collected:
    with tempfile.TemporaryDirectory() as folder:
        making = Making(60, "animatrix 0.1.0", signer, tell_prompt)
        return await collect(event_of(left), media, Path(folder), making)


@dataclass(frozen=True, slots=True)
class Read:
    """What an independent reader finds in a file."""

    state: str
    manifest: dict[str, Any]

    def assertion(self, label: str) -> dict[str, Any]:
        found = [a["data"] for a in self.manifest["assertions"] if a["label"] == label]
        assert len(found) == 1
        return dict(found[0])

    @property
    def created(self) -> dict[str, Any]:
        (action,) = self.assertion("c2pa.actions.v2")["actions"]
        assert action["action"] == "c2pa.created"
        return dict(action)


async def read(
    media: LocalMediaStore, file: StoredFile, trusted: CertificateFiles | None = None
) -> Read:
    settings: dict[str, Any] = {"verify": {"verify_trust": True}}
    if trusted is not None:
        settings["trust"] = {"trust_anchors": trusted.authority_file.read_text()}
    mime = {"mp4": "video/mp4", "jpg": "image/jpeg"}[file.key.rpartition(".")[2]]
    context = c2pa.Context(c2pa.Settings.from_dict(settings))
    async with media.local_path(file.key) as path:
        with path.open("rb") as data, c2pa.Reader(mime, data, None, context) as reader:
            return Read(reader.get_validation_state(), reader.get_active_manifest())


async def manifest_of(media: LocalMediaStore, outputs: JobOutputs) -> JobManifest:
    return JobManifest.model_validate_json(await media.read_bytes(outputs.manifest.key))


async def test_a_reader_that_trusts_the_authority_finds_video_and_poster_trusted(
    media_store: LocalMediaStore, tmp_path: Path, certificate: CertificateFiles
) -> None:
    left = await leave(media_store, tmp_path, ONE_CLIP, [Clip(range(33))])
    outputs = (await run(media_store, left, signer_of(certificate))).outputs
    for file in (outputs.video, outputs.poster):
        found = await read(media_store, file, certificate)
        assert found.state == "Trusted"
        told = found.manifest["claim_generator_info"][0]
        assert (told["name"], told["version"]) == ("Animatrix", "0.1.0")
        assert TEST_NAME in found.manifest["signature_info"]["issuer"]
        assert "thumbnail" not in found.manifest
        assert (await read(media_store, file)).state == "Valid"


async def test_one_changed_byte_is_found(
    media_store: LocalMediaStore, tmp_path: Path, certificate: CertificateFiles
) -> None:
    left = await leave(media_store, tmp_path, ONE_CLIP, [Clip(range(33))])
    outputs = (await run(media_store, left, signer_of(certificate))).outputs
    data = bytearray(await media_store.read_bytes(outputs.video.key))
    data[-1] ^= 1
    changed = await media_store.put_bytes(outputs.video.key, bytes(data))
    assert (await read(media_store, changed, certificate)).state == "Invalid"


async def test_frames_sound_and_fast_start_survive_signing(
    media_store: LocalMediaStore, tmp_path: Path, certificate: CertificateFiles
) -> None:
    order = replace(ONE_CLIP, soundtrack=tone(tmp_path / "s.wav"))
    left = await leave(media_store, tmp_path, order, [Clip(range(33))])
    outputs = (await run(media_store, left, signer_of(certificate))).outputs
    async with media_store.local_path(outputs.video.key) as path:
        facts = await inspect_delivery(path)
        assert watch(path).counters(SIZE) == list(range(33))
    assert "uuid" in facts.boxes
    assert delivery_faults(facts, outputs.frame, sound=True) == ()


async def test_a_file_that_signing_changed_otherwise_is_found(
    media_store: LocalMediaStore, tmp_path: Path, certificate: CertificateFiles
) -> None:
    order = replace(ONE_CLIP, soundtrack=tone(tmp_path / "s.wav"))
    left = await leave(media_store, tmp_path, order, [Clip(range(33))])
    plain = (await run(media_store, left, None)).outputs
    signed = (await run(media_store, left, signer_of(certificate))).outputs
    pairs = (
        (plain.video, signed.video, "video/mp4", ("stco", "mdat", "stts")),
        (plain.poster, signed.poster, "image/jpeg", (b"\xff\xda",)),
    )
    for before, after, mime, places in pairs:
        unsigned, target = tmp_path / "before", tmp_path / "after"
        unsigned.write_bytes(await media_store.read_bytes(before.key))
        data = await media_store.read_bytes(after.key)
        target.write_bytes(data)
        assert change_of(unsigned, target, mime) is None
        for place in places:
            name = place.encode() if isinstance(place, str) else place
            at = data.rindex(name) + len(name) + 12
            target.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            assert change_of(unsigned, target, mime) is not None


async def test_the_render_s_hash_is_that_before_signing_and_the_delivered_one_after(
    media_store: LocalMediaStore, tmp_path: Path, certificate: CertificateFiles
) -> None:
    left = await leave(media_store, tmp_path, ONE_CLIP, [Clip(range(33))])
    plain = (await run(media_store, left, None)).outputs
    signed = (await run(media_store, left, signer_of(certificate))).outputs
    manifest = await manifest_of(media_store, signed)
    assert manifest.render_sha256 == plain.video.sha256
    assert manifest.delivered_sha256 == signed.video.sha256 != plain.video.sha256
    assert manifest.credentials is not None
    assert TEST_NAME in manifest.credentials.certificate_subject
    assert manifest.credentials.unsigned_sha256 == {
        "video": plain.video.sha256,
        "poster": plain.poster.sha256,
    }
    told = (await read(media_store, signed.video)).assertion(ASSERTION)
    assert told["unsigned_sha256"] == manifest.render_sha256
    listed = {file.key: file.sha256 for file in manifest.files}
    for file in stored_files(signed):
        assert file == signed.manifest or listed[file.key] == file.sha256
    assert (await manifest_of(media_store, plain)).credentials is None


@pytest.mark.parametrize(
    ("simulated", "source_type", "agent"),
    [(True, DRAWN, "SIMULATED ComfyUI"), (False, GENERATED, "ComfyUI")],
)
async def test_a_simulated_engine_claims_no_model(
    media_store: LocalMediaStore,
    tmp_path: Path,
    certificate: CertificateFiles,
    simulated: bool,
    source_type: str,
    agent: str,
) -> None:
    order = replace(ONE_CLIP, simulated=simulated)
    left = await leave(media_store, tmp_path, order, [Clip(range(33))])
    outputs = (await run(media_store, left, signer_of(certificate))).outputs
    for file in (outputs.video, outputs.poster):
        found = await read(media_store, file)
        assert found.created["digitalSourceType"] == source_type
        assert found.created["softwareAgent"] == {"name": agent, "version": "0.3.64"}
        assert ("SIMULATED" in str(found.manifest)) is simulated
        assert found.assertion(ASSERTION)["simulated"] is simulated


async def test_uploaded_stills_are_said_to_be_put_together_not_generated(
    media_store: LocalMediaStore, certificate: CertificateFiles
) -> None:
    left = await leave_chain(media_store, of_stills(2, 12))
    outputs = (await run(media_store, left, signer_of(certificate))).outputs
    found = await read(media_store, outputs.video)
    assert found.created["digitalSourceType"] == ASSEMBLED
    assert found.created["softwareAgent"]["name"] == "Animatrix"


@pytest.mark.parametrize("tell_prompt", [False, True])
async def test_the_prompt_is_told_only_when_chosen(
    media_store: LocalMediaStore,
    tmp_path: Path,
    certificate: CertificateFiles,
    tell_prompt: bool,
) -> None:
    left = await leave(media_store, tmp_path, ONE_CLIP, [Clip(range(33))])
    signer = signer_of(certificate)
    outputs = (await run(media_store, left, signer, tell_prompt=tell_prompt)).outputs
    for file in (outputs.video, outputs.poster):
        data = await media_store.read_bytes(file.key)
        assert (SECRET_PROMPT.encode() in data) is tell_prompt
        told = (await read(media_store, file)).assertion(ASSERTION)
        assert told.get("prompt") == (f"{SECRET_PROMPT}, 4k" if tell_prompt else None)


async def test_of_a_webm_the_poster_is_signed_and_the_video_stays_as_rendered(
    media_store: LocalMediaStore, certificate: CertificateFiles
) -> None:
    left = await leave_chain(media_store, of_frames(5, container="webm"))
    plain = (await run(media_store, left, None)).outputs
    signed = (await run(media_store, left, signer_of(certificate))).outputs
    assert signed.video == plain.video
    assert (await read(media_store, signed.poster, certificate)).state == "Trusted"
    manifest = await manifest_of(media_store, signed)
    assert manifest.render_sha256 == manifest.delivered_sha256


async def test_signing_twice_leaves_both_readable_under_their_own_keys(
    media_store: LocalMediaStore, tmp_path: Path, certificate: CertificateFiles
) -> None:
    left = await leave(media_store, tmp_path, ONE_CLIP, [Clip(range(33))])
    first, second = [
        (await run(media_store, left, signer_of(certificate))).outputs for _ in range(2)
    ]
    assert first.video.key != second.video.key
    assert first.preview == second.preview
    for outputs in (first, second):
        assert (await read(media_store, outputs.video, certificate)).state == "Trusted"


async def test_two_collectors_that_sign_the_same_job_leave_what_it_names_and_no_more(
    bus_factory: BusFactory,
    media_store: LocalMediaStore,
    tmp_path: Path,
    certificate: CertificateFiles,
) -> None:
    settings = Settings(
        credentials=True,
        credentials_certificate_file=certificate.chain_file,
        credentials_key_file=certificate.key_file,
    )
    stage = Stage(bus_factory, {})
    event = await stage.play(await leave(media_store, tmp_path, ONE_CLIP, [Clip(range(33))]))
    deps = Deps(await stage.bus("collector"), media_store, settings, "animatrix 0.1.0")
    await asyncio.gather(*(on_execution_finished(event, deps) for _ in range(2)))
    completed = (await deps.bus.job(JOB)).state.completed
    assert completed is not None
    named = {file.key: file.sha256 for file in stored_files(completed.outputs)}
    there = {key async for key in media_store.keys(f"jobs/{JOB}/outputs")}
    assert there == set(named)
    for key, sha256 in named.items():
        assert sha256_hex(await media_store.read_bytes(key)) == sha256


async def test_an_ended_certificate_is_told_and_the_job_waits_instead_of_going_out_unsigned(
    bus_factory: BusFactory, media_store: LocalMediaStore, tmp_path: Path
) -> None:
    past = datetime.now(UTC) - timedelta(days=400)
    ended = ensure_test_certificate(tmp_path / "ended", past)
    problem = problem_of(signer_of(ended), datetime.now(UTC))
    assert problem is not None
    assert "ended at" in problem
    settings = Settings(
        credentials=True,
        credentials_certificate_file=ended.chain_file,
        credentials_key_file=ended.key_file,
    )
    stage = Stage(bus_factory, {})
    left = await leave(media_store, tmp_path, ONE_CLIP, [Clip(range(33))])
    event = await stage.play(left)
    deps = Deps(await stage.bus("collector"), media_store, settings, "animatrix 0.1.0")
    outcome = await on_execution_finished(event, deps)
    assert isinstance(outcome, Retry)
    assert (await deps.bus.job(JOB)).state.state == "collecting_outputs"
    assert [key async for key in media_store.keys(f"jobs/{JOB}/outputs")] == []


@pytest.mark.parametrize("signs", [True, False])
async def test_a_video_that_holds_the_prompt_is_refused_whether_signing_works_or_not(
    media_store: LocalMediaStore,
    tmp_path: Path,
    certificate: CertificateFiles,
    monkeypatch: pytest.MonkeyPatch,
    signs: bool,
) -> None:
    monkeypatch.setattr(scene, "SECRET_PROMPT", "isomiso2avc1mp41")  # The brands in every mp4.
    left = await leave(media_store, tmp_path, ONE_CLIP, [Clip(range(33))])
    signer = signer_of(certificate)
    if not signs:
        signer = Signer(certificate.chain_file, tmp_path / "no-key.pem")
    with pytest.raises(ResultFault, match="still holds"):
        await run(media_store, left, signer)
    assert [key async for key in media_store.keys(f"jobs/{JOB}/outputs")] == []


async def test_a_refusal_to_sign_tells_why_and_nothing_of_the_key(
    tmp_path: Path, certificate: CertificateFiles
) -> None:
    broken = tmp_path / "key.pem"
    secret = certificate.key_file.read_text()
    broken.write_text(secret.replace("\n", "", 2))
    poster = photo(tmp_path / "poster.jpg", format="JPEG")
    file = ToSign(poster, tmp_path / "signed.jpg", "image/jpeg", {})
    with pytest.raises(SigningFailed) as failed:
        await sign_files(Signer(certificate.chain_file, broken), [file])
    assert str(failed.value)
    assert not any(line in str(failed.value) for line in secret.splitlines()[1:-1])


def test_signing_needs_certificate_and_key_and_is_off_by_default(
    certificate: CertificateFiles,
) -> None:
    assert Settings().signer is None
    with pytest.raises(ValidationError, match="CREDENTIALS_KEY_FILE"):
        Settings(credentials=True, credentials_certificate_file=certificate.chain_file)


def test_the_test_certificate_is_made_once_kept_private_and_renewed_in_time(
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    made = ensure_test_certificate(tmp_path / "c", now)
    first = made.chain_file.read_bytes()
    assert made.key_file.stat().st_mode & 0o077 == 0
    assert ensure_test_certificate(tmp_path / "c", now).chain_file.read_bytes() == first
    later = now + timedelta(days=364)
    assert ensure_test_certificate(tmp_path / "c", later).chain_file.read_bytes() != first
