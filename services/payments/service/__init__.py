"""Use cases of payments: what is written before and after a provider is asked. `flows` strings them together."""
