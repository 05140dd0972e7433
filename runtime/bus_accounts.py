"""What each service may say and hear on the bus, as accounts of the nats-server.

Derived from contracts.subjects: a service publishes its own events, reads its own durables, hears
its own inbox, and cannot speak for another. As a program:

`python -m runtime.bus_accounts config` prints the block for the server's configuration, which takes
the passwords from the server's environment (deploy/k8s/nats/accounts.conf is that output);
`python -m runtime.bus_accounts passwords FOLDER` makes the passwords: one environment file for the
server and one for each who connects. Must not start anything.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, get_args

from contracts.subjects import (
    ASSETS_STREAM,
    CONSUMERS,
    DEADLETTER_CONSUMER,
    DEADLETTERS_STREAM,
    ENGINES_BUCKET,
    JOBS_STREAM,
    LEASES_BUCKET,
    LIVE_PREVIEWS_STREAM,
    PROGRESS_STREAM,
    PUBLISHES,
    ROOT,
    Service,
)

ADMIN = "provisioner"
"""Makes streams, consumers and buckets; no service knows its password."""
SERVICES: tuple[Service, ...] = get_args(Service)
PASSWORD_VARIABLE = "ANIMATRIX_NATS_PASSWORD"  # noqa: S105 - a variable's name
SERVER_FILE = "server.env"
_STREAMS = (JOBS_STREAM, ASSETS_STREAM, PROGRESS_STREAM)
_BUCKETS = (f"KV_{ENGINES_BUCKET}", f"KV_{LEASES_BUCKET}")
_READS: dict[Service, tuple[str, ...]] = {
    "gateway": (*_STREAMS, LIVE_PREVIEWS_STREAM, DEADLETTERS_STREAM, *_BUCKETS),
    "executor": (JOBS_STREAM, *_BUCKETS),
    "ingest": (JOBS_STREAM, ASSETS_STREAM),
    "composer": (JOBS_STREAM,),
    "collector": (JOBS_STREAM,),
}
"""The streams of which a service may read a message by its place or subject."""
_FOLLOWS: dict[Service, tuple[str, ...]] = {
    "gateway": (*_STREAMS, DEADLETTERS_STREAM, *_BUCKETS),
    "executor": (JOBS_STREAM, *_BUCKETS),
    "ingest": (),
    "composer": (),
    "collector": (),
}
"""The streams that a service reads with a consumer of its own making."""
_DURABLES = (
    *((c.stream, c.durable, c.service) for c in CONSUMERS),
    (DEADLETTERS_STREAM, DEADLETTER_CONSUMER, "gateway"),
)


class Permissions(NamedTuple):
    """The subjects that an account may publish and subscribe; nothing else is allowed, and of
    those that `publish` allows not what `deny` names."""

    publish: tuple[str, ...]
    deny: tuple[str, ...]
    subscribe: tuple[str, ...]


def inbox_of(service: Service) -> str:
    """The prefix under which a service gets its answers, and which no other service hears."""
    return f"_INBOX.{service}"


def _events(service: Service) -> list[str]:
    subjects = []
    for name in sorted(PUBLISHES[service]):
        branch = "assets" if name.startswith("asset_") else "jobs"
        subjects.append(f"{ROOT}.{branch}.*.{name}{'.*' if name == 'step_ready' else ''}")
    if service in ("executor", "collector"):
        subjects.append(f"{ROOT}.progress.*")
    if service == "executor":
        subjects.append(f"{ROOT}.live_previews.*")
    if service == "gateway":
        # It delivers dead letters again, whoever they were from.
        subjects += [f"{ROOT}.jobs.>", f"{ROOT}.assets.>"]
    return subjects


def _reading(service: Service) -> list[str]:
    api = "$JS.API"
    subjects = []
    for stream in _READS[service]:
        subjects += [
            f"{api}.STREAM.INFO.{stream}",
            f"{api}.DIRECT.GET.{stream}",
            f"{api}.DIRECT.GET.{stream}.>",
            f"{api}.STREAM.MSG.GET.{stream}",
        ]
    durables = [f"{stream}.{durable}" for stream, durable, owner in _DURABLES if owner == service]
    if service == "executor":
        # The lanes, whichever there are; see _forbidden for those that are none.
        durables.append(f"{JOBS_STREAM}.*")
    for durable in durables:
        subjects += [f"{api}.CONSUMER.INFO.{durable}", f"{api}.CONSUMER.MSG.NEXT.{durable}"]
        subjects.append(f"$JS.ACK.{durable}.>")
    for stream in _FOLLOWS[service]:
        subjects += [
            f"{api}.CONSUMER.INFO.{stream}.*",
            f"{api}.CONSUMER.CREATE.{stream}",
            f"{api}.CONSUMER.CREATE.{stream}.>",
            f"{api}.CONSUMER.DELETE.{stream}.*",
            f"$JS.FC.{stream}.>",
        ]
    return subjects


def _forbidden(service: Service) -> list[str]:
    """Who may make consumers of his own may not touch the durables of others by their names."""
    api = "$JS.API.CONSUMER"
    subjects = []
    for stream, durable, owner in _DURABLES:
        if stream not in _FOLLOWS[service]:
            continue
        subjects += [
            f"{api}.CREATE.{stream}.{durable}",
            f"{api}.CREATE.{stream}.{durable}.>",
            f"{api}.DELETE.{stream}.{durable}",
        ]
        if owner != service:
            subjects += [f"{api}.MSG.NEXT.{stream}.{durable}", f"$JS.ACK.{stream}.{durable}.>"]
    return subjects


def permissions(service: Service) -> Permissions:
    """What a service's account may do."""
    buckets = []
    if service in ("gateway", "executor"):
        buckets = [f"$KV.{LEASES_BUCKET}.>", f"$KV.{ENGINES_BUCKET}.>"]
    return Permissions(
        publish=tuple(dict.fromkeys([*_events(service), *buckets, *_reading(service)])),
        deny=tuple(_forbidden(service)),
        subscribe=(f"{inbox_of(service)}.>",),
    )


def fresh_passwords() -> dict[str, str]:
    """A random password for the provisioner and for every service.

    Letters and digits, a letter first: a nats-server reads the value of a variable as it reads its
    configuration, where a digit begins a number.
    """
    return {name: f"p{secrets.token_hex(24)}" for name in (ADMIN, *SERVICES)}


def server_variable(user: str) -> str:
    """The variable of the nats-server's environment that holds a user's password."""
    return f"ANIMATRIX_BUS_{user.upper()}"


def authorization(passwords: Mapping[str, str] | None = None) -> str:
    """The `authorization` block of a nats-server's configuration.

    Without passwords it refers to the server's environment (server_variable).
    """

    def password_of(user: str) -> str:
        return f"${server_variable(user)}" if passwords is None else json.dumps(passwords[user])

    lines = [f"    {{ user: {ADMIN}, password: {password_of(ADMIN)} }}"]
    for service in SERVICES:
        allowed = permissions(service)
        lines.append(
            f"    {{ user: {service}, password: {password_of(service)}, permissions: {{\n"
            f"      publish: {{\n        allow: {_list(allowed.publish)},\n"
            f"        deny: {_list(allowed.deny)} }},\n"
            f"      subscribe: {{ allow: {_list(allowed.subscribe)} }} }} }}"
        )
    return "authorization {\n  users: [\n" + "\n".join(lines) + "\n  ]\n}\n"


def _list(subjects: tuple[str, ...]) -> str:
    return "[" + "".join(f"\n          {json.dumps(one)}" for one in subjects) + "]"


def write_passwords(folder: Path, passwords: Mapping[str, str]) -> None:
    """One environment file for the server and one for each user, for their reader alone.

    Raises FileExistsError rather than change a password, OSError when it cannot write.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = "".join(f"{server_variable(user)}={word}\n" for user, word in passwords.items())
    _write(folder / SERVER_FILE, server)
    for user, word in passwords.items():
        _write(folder / f"{user}.env", f"{PASSWORD_VARIABLE}={word}\n")


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def main(arguments: list[str]) -> int:
    """What the module says above; returns the exit code."""
    match arguments:
        case ["config"]:
            sys.stdout.write("# Made by `python -m runtime.bus_accounts config`.\n")
            sys.stdout.write(authorization())
        case ["passwords", folder]:
            try:
                write_passwords(Path(folder), fresh_passwords())
            except FileExistsError as there:
                sys.stderr.write(f"{there.filename} is there already; nothing was changed.\n")
                return 1
        case _:
            sys.stderr.write("usage: python -m runtime.bus_accounts config | passwords FOLDER\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
