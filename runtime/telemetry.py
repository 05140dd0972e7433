"""Logs, traces and metrics: one trace per job, ids on every span and line.

Owns the job context (job_id, asset_id, comfy_prompt_id) that travels with the work. Must not put
an id into a metric label.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram

from contracts.events import Event, JobEvent
from contracts.ids import comfy_prompt_id
from runtime.redaction import redact_line

_ids: ContextVar[Mapping[str, str] | None] = ContextVar("animatrix_ids", default=None)
tracer = trace.get_tracer("animatrix")

EVENTS_HANDLED = Counter(
    "animatrix_events_handled", "Events handled, by outcome", ["event", "outcome"]
)
HANDLE_SECONDS = Histogram(
    "animatrix_event_handle_seconds",
    "Time a handler took",
    ["event"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800, 7200),
)
EVENT_AGE_SECONDS = Histogram(
    "animatrix_event_age_seconds",
    "Age of an event when its handler began",
    ["event"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800, 7200),
)


class _StampIds(SpanProcessor):
    """Writes the ids of the work at hand on every span that starts."""

    def on_start(self, span: Span, parent_context: otel_context.Context | None = None) -> None:
        for key, value in (_ids.get() or {}).items():
            span.set_attribute(key, value)

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing to do."""

    def shutdown(self) -> None:
        """Nothing to do."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is buffered here."""
        return True


def _log_ids(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    line.update({k: v for k, v in (_ids.get() or {}).items() if k not in line})
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = f"{context.trace_id:032x}"
    return line


def configure_logging(service: str, level: str) -> None:
    """JSON lines on standard error, for our own and for foreign loggers alike."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _log_ids,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact_line,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "uvicorn.access", "websockets", "faststream"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def configure_tracing(service: str, instance: str, otlp_endpoint: str | None) -> TracerProvider:
    """Spans with the job's ids, exported over OTLP/HTTP when an endpoint is set.

    Without one they only carry the trace's id, for logs and the next service: nothing is recorded.
    With one all are, whatever a caller from outside says about sampling: a job has one whole trace.
    """
    provider = TracerProvider(
        sampler=ALWAYS_ON if otlp_endpoint else ALWAYS_OFF,
        resource=Resource.create(
            {"service.name": f"animatrix-{service}", "service.instance.id": instance}
        ),
    )
    provider.add_span_processor(_StampIds())
    if otlp_endpoint:
        exporter = OTLPSpanExporter(endpoint=f"{otlp_endpoint.rstrip('/')}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    trace.set_tracer_provider(provider)
    return provider


@contextmanager
def job_context(**ids: str | None) -> Iterator[None]:
    """Puts ids (job_id, asset_id, comfy_prompt_id) on every span and log line inside."""
    merged = {**(_ids.get() or {}), **{k: v for k, v in ids.items() if v is not None}}
    token = _ids.set(merged)
    current = trace.get_current_span()
    for key, value in merged.items():
        current.set_attribute(key, value)
    try:
        yield
    finally:
        _ids.reset(token)


@contextmanager
def span(
    name: str, *, kind: SpanKind = SpanKind.INTERNAL, **attributes: Any
) -> Iterator[trace.Span]:
    """A span around a piece of work; ids given as attributes also reach the spans inside."""
    ids = {k: v for k, v in attributes.items() if k in ("job_id", "asset_id", "comfy_prompt_id")}
    with job_context(**ids), tracer.start_as_current_span(name, kind=kind) as current:
        for key, value in attributes.items():
            if value is not None:
                current.set_attribute(key, value)
        yield current


def ids_of(event: Event) -> dict[str, str]:
    """The ids that an event's work carries.

    Before a step is assigned the prompt id is that of the step about to run: it derives from job,
    attempt, stage and segment, so it is known from the first hop on (design, "Telemetry").
    """
    said = vars(event)
    if "asset_id" in said:
        return {"asset_id": said["asset_id"]}
    if not isinstance(event, JobEvent):
        return {}
    prompt = said.get("comfy_prompt_id") or getattr(said.get("result"), "comfy_prompt_id", None)
    if prompt is None:
        prompt = comfy_prompt_id(
            event.job_id,
            said.get("attempt") or 1,
            said.get("stage", 0),
            said.get("segment", 0),
        )
    return {"job_id": event.job_id, "comfy_prompt_id": prompt}


def inject() -> dict[str, str]:
    """The trace context as message headers."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


@contextmanager
def continued(headers: Mapping[str, str] | None) -> Iterator[None]:
    """Work inside continues the trace found in message headers."""
    token = otel_context.attach(propagate.extract(dict(headers or {})))
    try:
        yield
    finally:
        otel_context.detach(token)
