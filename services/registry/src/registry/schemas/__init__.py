"""What the registry's routes take and give, one file per aggregate."""
