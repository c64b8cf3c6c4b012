"""What the scheduler does: one function an action, each the owner of its transaction."""

from __future__ import annotations

from typing import Final

SOURCE: Final = "scheduler"
"""Who publishes the events."""
