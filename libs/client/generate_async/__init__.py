"""Writes `modelyard.aio` from `modelyard.api` and `modelyard.client`: each operation is written once, and can be awaited too.

    python -m libs.client.generate_async [--check]

A function waits when it calls one that waits: the fixed point over all modules, found from the types that parameters and
attributes are annotated with, beginning at httpx and `time.sleep`. Those functions become coroutines (or asynchronous generators
and context managers), and the calls of them are awaited. What does not wait is imported from where it is. mypy checks the result.

Written by hand are the twins of what reads and hashes files: `aio/specs.py`, which does that in threads.
"""
