"""What an MLflow client asks for, in calls to the services that have it. No state and no rules of its own."""
