"""E-mail to agencies without a system: that something waits, and under which reference."""
