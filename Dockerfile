# One image for the api, the worker and every command: docker run authsvc [serve|worker|migrate …].
# docs/operations.md tells how to run it; tests/container carries these steps out without Docker.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
COPY requirements-build.lock requirements-image.lock ./
RUN python -m venv --without-pip tools \
    && python -m venv --without-pip /opt/authsvc \
    && python -m pip --python tools/bin/python install --quiet \
        --require-hashes -r requirements-build.lock \
    && python -m pip --python /opt/authsvc/bin/python install --quiet \
        --require-hashes --no-compile -r requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY migrations migrations
RUN tools/bin/python -m hatchling build -t wheel -d dist \
    && python -m pip --python /opt/authsvc/bin/python install --quiet \
        --no-deps --no-index --no-compile dist/*.whl \
    && mkdir home

FROM python:${PYTHON}-slim
ENV PATH=/opt/authsvc/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AUTHSVC_LISTEN__HOST=0.0.0.0 \
    AUTHSVC_MANAGEMENT__HOST=0.0.0.0
COPY --from=build /opt/authsvc /opt/authsvc
COPY --from=build --chown=10001:10001 /build/home /var/lib/authsvc
WORKDIR /var/lib/authsvc
USER 10001:10001
EXPOSE 8000 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('AUTHSVC_MANAGEMENT__PORT', '9090') + '/startupz', timeout=4)"]
ENTRYPOINT ["authsvc"]
CMD ["serve"]
