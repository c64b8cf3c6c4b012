"""All SQL of the registry, one file per aggregate."""
