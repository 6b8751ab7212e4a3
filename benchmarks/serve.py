"""One API process, as `rujukan serve --no-worker` runs it."""

from __future__ import annotations

import uvicorn

from app.foundation.settings import Settings
from app.main import create_app

if __name__ == "__main__":
    settings = Settings()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        server_header=False,
    )
