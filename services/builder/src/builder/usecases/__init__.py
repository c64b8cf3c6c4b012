"""What the builder does, one `async def` per action. Only these open transactions."""
