"""What takes more than one transaction: record, call the provider outside any, record the outcome.

A process that dies between two steps leaves a pending attempt or refund. Its reference never moves money twice, so
whoever comes next, the caller again or the timer, may ask under it without fear.
"""
