"""Adapters: what the edge drives."""
