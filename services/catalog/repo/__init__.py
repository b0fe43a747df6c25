"""Every SQL statement of catalog."""
