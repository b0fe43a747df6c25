"""Prometheus metrics of a process. The label `service` tells the five apart where one process holds them all."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Histogram(
    "marketplace_request_seconds",
    "Duration of HTTP requests",
    ["service", "method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
EVENTS = Counter(
    "marketplace_events_total", "Events handled, by outcome: done, retry, dead", ["service", "event", "outcome"]
)
SOCKETS = Gauge("marketplace_sockets", "Open WebSockets", ["service"])
CACHE = Counter(
    "marketplace_cache_total",
    "Public reads at the gateway, by outcome: hit, shared (waited for another's answer), miss",
    ["outcome"],
)
