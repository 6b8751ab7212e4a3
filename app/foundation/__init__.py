"""What everything else stands on: settings, clock, ids, problems, keys, database. It knows nothing of referrals."""
