"""MLflow's language: its filters, its addresses, its errors, and its words for what the services know."""
