"""A file a method of client authentication (RFC 7591 §2, `token_endpoint_auth_method`)."""
