"""Keys at rest: a key-encryption key a month, what a process knows of its keyring, moving what earlier ones wrap."""
