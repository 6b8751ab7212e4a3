"""Record versions: snapshots, each encrypted under a key of its own."""
