"""Use cases of orders. Each takes a session and plain values, writes rows and events, and never commits."""
