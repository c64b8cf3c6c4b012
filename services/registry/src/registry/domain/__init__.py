"""What the registry knows, and its pure decisions; one file per aggregate."""
