"""The edge: HAProxy, and the agent that renders its configuration from the routes that serving and the replicas
announce."""
