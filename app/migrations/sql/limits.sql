-- Limits that all processes share. Counts of what is over in a minute: not written to the WAL, a crash forgets them.
CREATE UNLOGGED TABLE rate_bucket (
    key        text             CONSTRAINT rate_bucket_pkey PRIMARY KEY,
    tokens     double precision NOT NULL,
    updated_at timestamptz      NOT NULL
);

-- How often a client that there is was refused, by hour and reason; from where is not kept.
CREATE TABLE client_refusal (
    client_id text        NOT NULL CONSTRAINT client_refusal_client_id_fkey REFERENCES client (client_id),
    hour      timestamptz NOT NULL,
    reason    text        NOT NULL,
    count     bigint      NOT NULL,
    CONSTRAINT client_refusal_pkey PRIMARY KEY (client_id, hour, reason)
);

GRANT SELECT ON client_refusal TO rujukan_app, rujukan_admin, rujukan_worker;
