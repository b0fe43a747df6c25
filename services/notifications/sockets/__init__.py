"""The open WebSockets of this process: who may open one, what it is sent, and when it ends.

What is new for a user lies in the table of notifications; a wake-up only says up to which `seq`. So one that is lost,
doubled or early does no harm.
"""
