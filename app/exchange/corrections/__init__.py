"""Corrections of a record, proposals for them, and the taking back of a wrong one."""
