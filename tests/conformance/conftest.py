"""Each folder is an RFC or profile, each file one of its sections."""

from tests.makers.auth_server import party, server, world

__all__ = ["party", "server", "world"]
