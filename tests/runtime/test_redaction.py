"""Secrets do not reach the log, whatever field or text they stand in."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from runtime.redaction import HIDDEN, redact, redact_line, redacted

KEY = "ax_0123456789ab_" + "A" * 43
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"used {KEY} today", "A" * 43),
        (f"Authorization: Bearer {JWT}", JWT),
        ("Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        (f"the token {JWT} is wrong", JWT),
        ("postgresql://animatrix:hunter2@db/animatrix", "hunter2"),
        ("nats://gateway:s3cr3t@127.0.0.1:4222", "s3cr3t"),
        ("https://s3/x?X-Amz-Signature=abcdef&a=1", "abcdef"),
        (f"GET /api/shared/{'ab' * 12}.1767225600.{'Q' * 43}/video.mp4", "Q" * 43),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redacted(text)
    assert secret not in json.dumps(redact({"a": [{"b": text}]}))


def test_fields_named_like_secrets_are_hidden_and_others_are_not() -> None:
    line = {
        "event": "signed in",
        "api_token": "x",
        "headers": {"Cookie": "a=b", "Accept": "*/*"},
        "key_id": "ax_0123456789ab",
        "media_key": "assets/ab/original.png",
        "size_bytes": 7,
        "_record": object(),
    }
    shown = redact_line(None, "", line)
    assert shown["api_token"] == HIDDEN
    assert shown["headers"] == {"Cookie": HIDDEN, "Accept": "*/*"}
    assert shown["key_id"] == "ax_0123456789ab"
    assert shown["media_key"] == "assets/ab/original.png"
    assert shown["size_bytes"] == 7
    assert shown["_record"] is line["_record"]


def test_a_service_logs_no_secret_even_from_foreign_loggers_and_tracebacks() -> None:
    program = (
        "import logging, structlog\n"
        "from runtime.telemetry import configure_logging\n"
        "configure_logging('gateway', 'INFO')\n"
        f"structlog.get_logger().info('hello', reason='Bearer {KEY}', password='hunter2')\n"
        f"logging.getLogger('foreign').warning('nats://u:hunter2@h and %s', '{KEY}')\n"
        "try:\n"
        f"    raise RuntimeError('{KEY}')\n"
        "except RuntimeError:\n"
        "    structlog.get_logger().exception('broke')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"].split()[0] for line in lines] == ["hello", "nats://u:[hidden]@h", "broke"]
    assert lines[0]["level"] == logging.getLevelName(logging.INFO).lower()
    assert "A" * 43 not in done.stderr
    assert "hunter2" not in done.stderr
