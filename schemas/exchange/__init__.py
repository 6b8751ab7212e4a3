"""What agencies send and get: cases, consents, referrals, transfers, events, problems."""
