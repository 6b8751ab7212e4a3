-- What waits for an agency: one read over every kind of thing that can wait.
SELECT;
