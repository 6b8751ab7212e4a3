"""Receivers of webhooks, which fail, hang, answer slowly and restart; and what they must have in the end. Nothing, where webhooks are not built."""

from __future__ import annotations
