"""The scheduler's neighbours: registry, builder, and the streams of work and logs."""
