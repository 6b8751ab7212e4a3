"""Administration of who there is: plain functions over a connection of the role `rujukan_admin`.

Each is one transaction that moves the epoch, so that every process follows within a second, and writes a log entry naming the
`actor` (an opaque staff reference, as the log keeps them). What the person got wrong is a `LookupError` or a `ValueError` of
`auth.admin.errors` with a message to show.
"""
