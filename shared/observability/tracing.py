"""Traces by OpenTelemetry; nothing of it is imported or made unless there is an endpoint to send them to.

Where a thing that happens stands in its trace is kept and passed on as a text, the `traceparent` of W3C's Trace
Context: in headers, in events, and by `shared.observability.context` in between. That is so also without an endpoint,
and so whoever calls us finds the trace whole on the other side.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from shared.observability.context import in_trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Span, Tracer

    from shared.observability.sampling import Sampling

Kind = Literal["SERVER", "CONSUMER", "PRODUCER"]
Attributes = dict[str, str | int]


class _Exporting:
    """The spans of one process on their way to the collector, in batches, by a thread."""

    def __init__(self, processor: "BatchSpanProcessor", sampling: "Sampling") -> None:
        self.processor, self.sampling = processor, sampling
        self._tracers: dict[str, Tracer] = {}

    def tracer(self, service: str) -> "Tracer":
        """The service's own: one process may hold all of them."""
        if service not in self._tracers:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider

            release = version("service-marketplace")
            names = {"service.namespace": "marketplace", "service.name": service, "service.version": release}
            provider = TracerProvider(
                self.sampling.sampler,
                Resource.create(names),
                shutdown_on_exit=False,
                id_generator=self.sampling.ids,
            )
            provider.add_span_processor(self.processor)
            self._tracers[service] = provider.get_tracer("marketplace", release)
        return self._tracers[service]


_exporting: _Exporting | None = None


@contextmanager
def exporting(endpoint: str) -> Iterator[None]:
    """Send what happens meanwhile to the OTLP collector at `endpoint`, over HTTP; nothing where it is empty.

    Of traces a fiftieth is sent, unless `OTEL_TRACES_SAMPLER` says another share. All else is OpenTelemetry's own
    variables too: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_…`.
    """
    global _exporting
    if not endpoint:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from shared.observability.sampling import Sampling

    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    _exporting = _Exporting(BatchSpanProcessor(exporter), Sampling())
    try:
        yield
    finally:
        processor, _exporting = _exporting.processor, None
        processor.shutdown()  # type: ignore[no-untyped-call]


def is_on() -> bool:
    return _exporting is not None


@contextmanager
def span(
    service: str, kind: Kind, name: str, traceparent: str | None, attributes: Attributes | None = None
) -> Iterator["Span | None"]:
    """A span of `service` under `traceparent`, and what happens within it under the span; None where none is kept.

    An error marks it, by its kind alone: texts can hold what people wrote.
    """
    place = traceparent if _exporting is None else _exporting.sampling.dropped(traceparent)
    if _exporting is None or place is not None:
        with in_trace(place):
            yield None
        return
    begun = _begin(_exporting, service, kind, name, traceparent, attributes)
    try:
        with in_trace(_traceparent_of(begun)):
            yield begun
    except Exception as error:
        fail(begun, type(error).__name__)
        raise
    finally:
        begun.end()


def record(
    service: str,
    kind: Kind,
    name: str,
    traceparent: str | None,
    attributes: Attributes | None = None,
    *,
    began: datetime,
) -> None:
    """A span of what began then and has just ended, if there is a trace that it belongs to."""
    if _exporting and traceparent and _exporting.sampling.dropped(traceparent) is None:
        _begin(_exporting, service, kind, name, traceparent, attributes, began).end()


def message(name: str, event_id: UUID, request_id: str | None = None) -> Attributes:
    """What tells an event from others, in the names of OpenTelemetry's conventions for messaging."""
    attributes: Attributes = {"messaging.destination.name": name, "messaging.message.id": str(event_id)}
    return attributes | ({"messaging.message.conversation_id": request_id} if request_id else {})


def describe(request: "Span", method: str, route: str, path: str, status: int, request_id: str) -> None:
    """Say of a span which HTTP request it is, and how it ended; 0 is without an answer. The path alone: a query can
    hold a token."""
    request.update_name(f"{method} {route}")
    request.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "url.path": path,
            "http.response.status_code": status,
            "marketplace.request_id": request_id,
        }
    )
    if status >= 500:
        fail(request, str(status))


def fail(failed: "Span", kind: str) -> None:
    """Mark a span as that of an error of this kind."""
    from opentelemetry.trace import StatusCode

    failed.set_status(StatusCode.ERROR)
    failed.set_attribute("error.type", kind)


def _begin(
    exporting: _Exporting,
    service: str,
    kind: Kind,
    name: str,
    traceparent: str | None,
    attributes: Attributes | None,
    began: datetime | None = None,
) -> "Span":
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = Context()
    if traceparent:
        context = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, context)
    start = int(began.timestamp() * 1e9) if began else None
    tracer = exporting.tracer(service)
    return tracer.start_span(name, context, SpanKind[kind], attributes, start_time=start)


def _traceparent_of(begun: "Span") -> str:
    context = begun.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
