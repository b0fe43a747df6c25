"""Which traces are kept, told by their ids alone and before anything is made of them.

Imported only where there is an endpoint to send traces to.
"""

import os
import random
from typing import Final

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

KEPT: Final = 0.02
"""Share of traces that is kept where `OTEL_TRACES_SAMPLER` says nothing: all would take a quarter of the throughput."""


class Sampling:
    """By the low half of a trace's id, as OpenTelemetry's `traceidratio` reads it: every process decides alike.

    Another sampler that `OTEL_TRACES_SAMPLER` names decides by itself, once there is a span.
    """

    def __init__(self) -> None:
        named = os.environ.get("OTEL_TRACES_SAMPLER")
        self.sampler = TracerProvider(shutdown_on_exit=False).sampler if named else TraceIdRatioBased(KEPT)
        self._bound = self.sampler.bound if isinstance(self.sampler, TraceIdRatioBased) else None
        self.ids = RandomIdGenerator() if self._bound is None else _KeptIds(self._bound)

    def dropped(self, traceparent: str | None) -> str | None:
        """Where in its trace something stands of which nothing is kept; None where a span is to be made.

        Without a `traceparent` a new trace begins, and it is drawn whether it is kept.
        """
        if self._bound is None:
            return None
        if traceparent is not None:
            return None if int(traceparent[19:35], 16) < self._bound else traceparent
        low = random.getrandbits(64)
        if low < self._bound:
            return None
        return f"00-{random.getrandbits(64):016x}{low:016x}-{random.getrandbits(64) | 1:016x}-00"


class _KeptIds(RandomIdGenerator):
    """Of new traces that are kept, for so they were drawn: their ids say it to all who come after."""

    def __init__(self, bound: int) -> None:
        self._bound = bound

    def generate_trace_id(self) -> int:
        return (random.getrandbits(64) | 1) << 64 | random.randrange(self._bound)  # noqa: S311 - an id

    def is_trace_id_random(self) -> bool:
        return False
