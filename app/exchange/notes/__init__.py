"""Notes between the parties of a referral or a transfer, and how far each has read them."""
