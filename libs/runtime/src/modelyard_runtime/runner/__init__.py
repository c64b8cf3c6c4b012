"""Runs steps: takes work orders from NATS, runs each as a Ray task, and reports to the scheduler. Remembers nothing between steps."""
