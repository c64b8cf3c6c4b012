"""What the notifier does, one `async def` per action. Only these open transactions."""

from typing import Final

SOURCE: Final = "notifier"
