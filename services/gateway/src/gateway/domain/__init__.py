"""What the gateway knows without asking anybody."""
