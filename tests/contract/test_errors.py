"""The error catalogue: complete, and plain to read."""

from __future__ import annotations

import pytest

from contracts.errors import CATALOGUE, ErrorCode, error_info
from contracts.errors.catalogue import GROUPS

WORDS_FOR_OPERATORS = ("comfyui", "node", "lora", "fp8", "sampler", "cfg", "traceback", "nats")


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_a_plain_sentence_and_a_remedy(code: ErrorCode) -> None:
    entry = CATALOGUE[code]
    for text in (entry.sentence, entry.remedy):
        assert text.endswith(".")
        assert text[0].isupper()
        assert not any(word in text.lower().split() for word in WORDS_FOR_OPERATORS)


def test_every_code_stands_in_one_group() -> None:
    assert sorted(code for group in GROUPS for code in group) == sorted(ErrorCode)


def test_the_exact_cause_stays_apart_from_what_the_user_reads() -> None:
    info = error_info(ErrorCode.ENGINE_FAILED, detail="KSampler: RuntimeError")
    assert "KSampler" not in info.sentence + info.remedy
    assert info.detail == "KSampler: RuntimeError"


def test_a_long_cause_is_cut_so_that_the_event_stays_small() -> None:
    assert len(error_info(ErrorCode.INTERNAL, detail="x" * 100_000).detail or "") == 4000
