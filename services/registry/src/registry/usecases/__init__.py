"""What the registry does, one `async def` per action. Only these open transactions."""
