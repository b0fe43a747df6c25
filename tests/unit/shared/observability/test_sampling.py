"""Which traces are kept: a share of them, the same ones everywhere, or what the operator says."""

import random

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased

from shared.observability import tracing
from shared.observability.context import current_traceparent, parse_traceparent
from shared.observability.sampling import KEPT, Sampling

NOBODY = "http://127.0.0.1:1"
TRACES = 5000


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    random.seed(20261127)
    monkeypatch.delenv("OTEL_TRACES_SAMPLER", raising=False)
    monkeypatch.delenv("OTEL_TRACES_SAMPLER_ARG", raising=False)
    monkeypatch.setattr(OTLPSpanExporter, "export", lambda *_: SpanExportResult.SUCCESS)


def traceparent(trace_id: int) -> str:
    return f"00-{trace_id:032x}-00f067aa0ba902b7-01"


def test_of_new_traces_a_share_is_kept_and_whatever_hangs_under_one_shares_its_lot() -> None:
    kept = 0
    with tracing.exporting(NOBODY):
        for _ in range(TRACES):
            with tracing.span("gateway", "SERVER", "GET", None) as root:
                place = current_traceparent()
                assert place
                assert parse_traceparent(place) == place
                with tracing.span("orders", "SERVER", "GET", place) as below:
                    assert (below is None) == (root is None)
                if root is None:
                    assert current_traceparent() == place
                else:
                    kept += 1
                    assert root.get_span_context().trace_flags.sampled
                    assert root.parent is None  # type: ignore[attr-defined]

    assert KEPT * 0.8 < kept / TRACES < KEPT * 1.2


def test_of_others_traces_the_id_alone_decides_whatever_the_caller_says() -> None:
    bound = round(KEPT * 2**64)
    sampling = Sampling()

    for high in (0, 2**64 - 1):
        for flag in ("00", "01"):
            kept, dropped = (f"{traceparent(high << 64 | low)[:-2]}{flag}" for low in (bound - 1, bound))
            assert sampling.dropped(kept) is None
            assert sampling.dropped(dropped) == dropped


@pytest.mark.parametrize(("ratio", "kept"), [("0", 0), ("1", 100)])
def test_the_share_is_what_the_operator_says(monkeypatch: pytest.MonkeyPatch, ratio: str, kept: int) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", ratio)
    sampling = Sampling()

    assert [sampling.dropped(None) for _ in range(100)].count(None) == kept


def test_another_sampler_decides_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    sampling = Sampling()

    assert isinstance(sampling.sampler, ParentBased)
    assert sampling.dropped(None) is None
    assert sampling.dropped(traceparent(1)) is None
