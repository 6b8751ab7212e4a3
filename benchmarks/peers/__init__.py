"""What the exchange is compared with: the same work, written the way the frameworks' and libraries' own guides write it."""
