"""The registry's HTTP routes: parse, one use case, answer."""
