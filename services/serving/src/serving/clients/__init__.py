"""What serving speaks to: the registry, the builder, Ray Serve, the `routes` bucket and the replicas' own listeners."""
