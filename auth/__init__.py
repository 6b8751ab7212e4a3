"""Who are you: the OAuth 2 authorization server, and the guard that a resource endpoint declares."""
