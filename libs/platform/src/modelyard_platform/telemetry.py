"""Logs (JSON lines with the trace id), traces (OpenTelemetry) and metrics (Prometheus)."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Span, SpanKind

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_tracer = trace.get_tracer("modelyard")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, service, logger, message, trace_id, what `extra` held, and the traceback."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = f"{context.trace_id:032x}"
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD and key not in line})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(service: str, *, level: str = "INFO", otlp_endpoint: str | None = None) -> None:
    """Set up a process: JSON logs on stderr; spans sent to `otlp_endpoint` (OTLP over HTTP) when there is one."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "uvicorn.access", "faststream"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider, sampling

    # Without somebody to send them to, spans are only there for their ids.
    sampler = sampling.DEFAULT_ON if otlp_endpoint else sampling.ALWAYS_OFF
    provider = TracerProvider(sampler, Resource.create({"service.name": service}))
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp_endpoint)))
    trace.set_tracer_provider(provider)


@contextmanager
def span(name: str, *, parent: str | None = None, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
    """A span, a child of `parent` (a W3C traceparent) when given."""
    context = extract({"traceparent": parent}) if parent else None
    with _tracer.start_as_current_span(name, context=context, kind=kind) as current:
        yield current


def traceparent() -> str | None:
    """The current span as a W3C traceparent, to travel in headers, rows and events."""
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


def log_fatal(message: str, error: BaseException) -> None:
    """The last line of a process that ends itself."""
    logging.getLogger("modelyard").critical(message, exc_info=error)
    logging.shutdown()
