"""The embedded stack: real servers and every Modelyard process as children of one supervisor, under one data folder."""

from modelyard.stack.control import down, status, up, up_detached, wait_until_up
from modelyard.stack.layout import Layout, StackError, default_home
from modelyard.stack.services import ALL

__all__ = [
    "ALL",
    "Layout",
    "StackError",
    "default_home",
    "down",
    "status",
    "up",
    "up_detached",
    "wait_until_up",
]
