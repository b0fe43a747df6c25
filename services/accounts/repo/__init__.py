"""Every SQL statement of accounts."""
