"""Referrals: a request that another agency give services; responsibility stays."""
