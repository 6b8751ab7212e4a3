"""Legal holds: what an authority orders to be kept, for a time. They stop erasure of the named sections and give no access."""
