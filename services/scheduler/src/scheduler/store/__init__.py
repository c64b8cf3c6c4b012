"""All SQL of the scheduler, one file per aggregate."""
