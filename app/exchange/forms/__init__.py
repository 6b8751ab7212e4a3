"""Forms on paper: a referral or transfer to hand over, and blank ones to fill in."""
