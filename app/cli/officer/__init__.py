"""The command line of an agency's officer: thin layers over the API, as one of its clients."""
