"""What the builder speaks to: the registry, uv, and the host that converts models."""
