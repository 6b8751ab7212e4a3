"""`/admin/v1`: administration over HTTP, thin endpoints over `auth.admin` and `auth.people`. An application of its own."""
