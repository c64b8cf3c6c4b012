"""Single files of standard-library Python that run users' code in processes of their own."""
