"""Events, in the transaction of their cause, and the feed made of them."""
