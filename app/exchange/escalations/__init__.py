"""Escalations: what nobody answered, who is asked, who takes it, and the desk's re-routing."""
