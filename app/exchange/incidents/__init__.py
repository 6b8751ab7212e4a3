"""Incidents with personal data: a breach, a wrong receiver, a record of another person (UU 27/2022 art 46)."""
