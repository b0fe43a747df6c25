"""Routes of catalog."""
