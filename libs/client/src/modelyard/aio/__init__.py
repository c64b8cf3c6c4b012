"""The SDK for asyncio. All but `specs` and `waiting` is generated from `modelyard.api` by `libs.client.generate_async`."""
