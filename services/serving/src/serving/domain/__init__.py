"""What serving knows, and its pure decisions."""
