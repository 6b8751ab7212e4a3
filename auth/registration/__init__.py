"""Dynamic client registration and its management (RFC 7591, RFC 7592): a system registers itself by invitation, and waits for approval."""
