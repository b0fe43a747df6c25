"""The ways in which a provider's call may arrive: once, twice, late, beside its copy, or with its answer lost."""

from enum import StrEnum


class Delivery(StrEnum):
    ONCE = "once"
    TWICE = "twice"
    LOST = "lost"
    """The connection is dropped when the answer comes, and the call is made again."""
    DROPPED = "dropped"
    """The connection is dropped as soon as the call is sent, and the call is made again at once."""
    SLOW = "slow"
    """The second half of the body comes late."""
    PARALLEL = "parallel"
    """Two copies at the same moment."""
