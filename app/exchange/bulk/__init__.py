"""Many at once: imports of referrals, exports of what an agency may read."""
