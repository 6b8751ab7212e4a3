"""Webhooks: events sent to the addresses that agencies' systems have named."""
