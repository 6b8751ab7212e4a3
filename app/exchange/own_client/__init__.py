"""A client's own keys: it lists, adds and ends them itself; whoever its last key is about to shut out is reminded."""
