"""What referrals and transfers have in common: sending, moving, reading, refusing."""
