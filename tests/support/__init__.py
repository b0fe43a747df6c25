"""What tests stand on; nothing here is a test."""
