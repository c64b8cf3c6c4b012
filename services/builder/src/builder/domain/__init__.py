"""What the builder knows, and its pure decisions."""
