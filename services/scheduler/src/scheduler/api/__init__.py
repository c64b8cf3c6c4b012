"""The scheduler's HTTP routes: parse, one use case, answer."""
