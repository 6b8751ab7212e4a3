-- The life of a case: followed up, closed, reopened; what is known of its victim status, and of its guardian.
SELECT;
