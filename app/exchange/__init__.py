"""What happens: a folder a domain, the same few file names in each."""
