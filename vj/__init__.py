"""vj: a network imagines the view from a train window; music and hands steer it."""

__version__ = "0.1.0"
