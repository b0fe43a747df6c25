"""What goes in and out of payments over HTTP."""
