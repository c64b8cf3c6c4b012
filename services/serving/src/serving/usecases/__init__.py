"""One function per action."""
