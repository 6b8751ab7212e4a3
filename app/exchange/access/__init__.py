"""The access report: who saw what of a case, on what basis, when."""
