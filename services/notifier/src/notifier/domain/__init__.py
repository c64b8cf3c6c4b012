"""What the notifier knows, and its pure decisions."""
