"""The gateway's tests of its database again, on a real PostgreSQL.

Every test that is imported here runs a second time with the database's URL set.
"""

from __future__ import annotations

import pytest
import pytest_asyncio

from tests.gateway.conftest import gateway, world
from tests.gateway.test_jobs import (
    test_deleted_job_and_its_files_are_gone,
    test_pages_follow_each_other_without_gap,
    test_waiting_job_knows_its_place_in_the_queue,
)
from tests.gateway.test_projection import (
    test_dropped_read_model_is_rebuilt_bit_for_bit,
    test_migrations_make_exactly_the_tables_of_app,
    test_read_model_of_a_stream_that_is_gone_is_rebuilt,
    test_read_model_of_another_form_is_made_anew,
    test_second_projector_writes_nothing_over_the_first,
    test_two_gateways_share_the_work_of_one_projector,
)
from tests.gateway.test_queue import (
    test_a_waiting_job_is_told_when_it_will_be_made_once_something_like_it_ran,
)
from tests.gateway.test_submitting import (
    test_key_with_another_body_is_refused,
    test_racing_submits_under_one_key_make_one_job,
    test_submit_that_died_before_publishing_is_repaired_by_its_repeat,
)
from tests.gateway.test_webhooks import (
    gateway_settings,
    receiver,
    test_a_receiver_that_is_gone_is_disabled_and_can_be_enabled_and_sent_again,
    test_a_removed_webhook_gets_nothing_and_leaves_nothing,
)
from tests.gateway.test_workflows import (
    _fresh_engines,
    test_operators_racing_for_one_mode_each_leave_their_line,
    test_rolling_back_undoes_one_activation_after_the_other,
)
from tests.stores.postgres_server import PostgresServer

__all__ = [
    "_fresh_engines",
    "gateway",
    "gateway_settings",
    "receiver",
    "test_a_receiver_that_is_gone_is_disabled_and_can_be_enabled_and_sent_again",
    "test_a_removed_webhook_gets_nothing_and_leaves_nothing",
    "test_a_waiting_job_is_told_when_it_will_be_made_once_something_like_it_ran",
    "test_deleted_job_and_its_files_are_gone",
    "test_dropped_read_model_is_rebuilt_bit_for_bit",
    "test_key_with_another_body_is_refused",
    "test_migrations_make_exactly_the_tables_of_app",
    "test_operators_racing_for_one_mode_each_leave_their_line",
    "test_pages_follow_each_other_without_gap",
    "test_racing_submits_under_one_key_make_one_job",
    "test_read_model_of_a_stream_that_is_gone_is_rebuilt",
    "test_read_model_of_another_form_is_made_anew",
    "test_rolling_back_undoes_one_activation_after_the_other",
    "test_second_projector_writes_nothing_over_the_first",
    "test_submit_that_died_before_publishing_is_repaired_by_its_repeat",
    "test_two_gateways_share_the_work_of_one_projector",
    "test_waiting_job_knows_its_place_in_the_queue",
    "world",
]
pytestmark = pytest.mark.xdist_group("postgres")


@pytest_asyncio.fixture(autouse=True)
async def _on_postgres(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await postgres_server.new_database()
    monkeypatch.setenv("ANIMATRIX_GATEWAY_DATABASE_URL", url)
