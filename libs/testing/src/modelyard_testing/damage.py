"""Damage that a test does to what is stored."""

from modelyard_platform.objects import ObjectStore


def flip(store: ObjectStore, digest: str) -> None:
    """One bit of a stored blob becomes another; it keeps its name and its size."""
    content = bytearray(store.get_bytes(digest))
    content[len(content) // 2] ^= 1
    store.put(digest, bytes(content))
