"""The soak: four agencies, real processes that are killed, readers and receivers that stop and lie low; in the end all know the same."""
