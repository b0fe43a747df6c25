"""Prometheus metrics of a process. The label `service` tells the five apart where one process holds them all."""

from prometheus_client import Counter, Gauge, Histogram, Summary

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
ERRORS = Counter("marketplace_unexpected_errors_total", "Requests that ended in an error of ours", ["service"])
LOOP_LAG = Summary("marketplace_loop_lag_seconds", "How late the event loop woke a sleeper, one each second")

EVENT_LAG = Histogram(
    "marketplace_event_lag_seconds",
    "From when an event occurred until it was handled",
    ["service", "event"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
OUTBOX_WAITING = Gauge("marketplace_outbox_waiting", "Events that are not published yet", ["service"])
OUTBOX_AGE = Gauge("marketplace_outbox_oldest_seconds", "How long the oldest of them has waited", ["service"])
INBOX_KEPT = Gauge("marketplace_inbox_kept", "Events kept in the inbox, by state: retry, dead", ["service", "state"])
BROKER = Gauge("marketplace_broker_connected", "1 while events can leave and arrive", ["service"])

POOL = Gauge(
    "marketplace_db_pool_connections",
    "Connections to the database, by state: checked_out, idle, most (that there may be)",
    ["service", "state"],
)
DATABASE_AWAY = Counter(
    "marketplace_db_unavailable_total",
    "Transactions that ended because the database, or a connection of the pool, was not had in time",
    ["service", "reason"],
)

SOCKET_MESSAGES = Counter("marketplace_socket_messages_total", "Messages sent to WebSockets", ["service"])
LIMITED = Counter("marketplace_limited_total", "Requests refused with 429 at the gateway, by policy", ["policy"])
BREAKER = Gauge(
    "marketplace_breaker_open", "1 while the gateway leaves an instance of a service alone", ["upstream", "address"]
)
ACTIVE_USERS = Gauge(
    "marketplace_active_users", "Users who made an authenticated request through this gateway", ["window"]
)

ORDERS = Gauge("marketplace_orders", "Orders by status: docs/adr/0026-metrics.md says how old they are", ["status"])
ORDER_MOVES = Counter("marketplace_order_moves_total", "Orders that came to a status", ["status"])
PAYMENTS = Counter(
    "marketplace_payments_total", "Attempts to pay that ended, by method and result", ["method", "result"]
)
REFUNDS = Counter("marketplace_refunds_total", "Refunds, by the status that they came to", ["status"])
