"""What a person asks about their data: recorded by any party, answered by the case's lead within three days (UU 27/2022 art 5-15, 30-33, 41-44)."""
