-- A lead that is gone: reassigned by two people, with the new lead's agreement.
SELECT;
