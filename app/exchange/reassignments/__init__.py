"""Reassignments: a new lead for a case whose lead is gone, decided by two people of the desk and agreed to by the new lead."""
