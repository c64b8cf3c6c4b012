"""The table of routes, and the configuration that follows from it. No I/O."""
