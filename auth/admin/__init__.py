"""Administration, as plain functions over a connection of role `rujukan_admin`; the command line and `/admin/v1` call the same ones.

Each is one transaction that moves the epoch, so that every process follows within a second, and writes a log entry naming the
`actor` (an opaque staff reference, as the log keeps them). What the person got wrong is a `LookupError` or a `ValueError` of
`auth.admin.errors` with a message to show.

| to find | look in |
|---|---|
| what opens access, and whose yes it takes; asking, approving, refusing | `acts.py` (the table), `approvals.py` |
| agencies: add, suspend, resume, close, the desk, service points | `agencies.py`; asked for: `agency_life.py` |
| agencies and service points, read and changed one by one; when an agency leaves | `directory_changes.py`; `offboarding.py` |
| a client's states | `client_lifecycle.py` (the table) |
| a client: add, list, move from state to state | `clients.py`; found and locked, logged: `found_client.py` |
| a client's life as people lead it: register, ask, bound, retire, keys, an emergency | `client_life.py`; the end of an emergency: `emergency.py` |
| what is done of it: narrow at once, widen, add and end a key | `client_changes.py` |
| what may be registered as a key or certificate | `client_keys.py` |
| stop a client, and whom that leaves waiting | `kill_switch.py` |
| invitations for systems that register themselves, and what of them waits | `registrations.py` |
| agreements | `agreements.py`; asked for: `agreeing.py`; read page by page: `agreement_pages.py` |
| what the log says of administration | `log.py` |
| SQL | `queries.py`, `client_queries.py`, `approval_queries.py`, `registration_queries.py`; of what is read one by one: `change_queries.py` |
| what can go wrong | `errors.py` |
"""
