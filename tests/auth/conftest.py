"""The same stand-alone server as the conformance tests use."""

from tests.makers.auth_server import party, server, world

__all__ = ["party", "server", "world"]
