"""`python -m app.cli` is `rujukan`."""

from app.cli import main

main()
