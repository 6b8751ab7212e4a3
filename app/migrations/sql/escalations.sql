-- What nobody answered: who is asked next, who takes it, and how the desk re-routes it. And the people on duty.
SELECT;
