"""What the scheduler knows, and its pure decisions."""
