# Two stages: the first has what builds the package, the second what runs it.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
# The packages first: they change less often than the code.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/watchdog \
 && /opt/watchdog/bin/python -m pip install --require-hashes --only-binary :all: --no-compile -r requirements.lock \
 && python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --require-hashes --only-binary :all: -r requirements-build.lock
COPY pyproject.toml LICENSE README.md ./
COPY watchdog watchdog
# The compiled files are part of the image: the file system that it runs on is read-only.
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /build/dist . \
 && /opt/watchdog/bin/python -m pip install --no-deps --no-index --no-compile /build/dist/*.whl \
 && /opt/watchdog/bin/python -m pip uninstall --yes pip \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/watchdog/lib

FROM python:${PYTHON}-slim-bookworm
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="canary-watchdog" \
      org.opencontainers.image.description="Watches blue/green releases on Kubernetes and rolls a bad one back by itself." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/watchdog /opt/watchdog
ENV PATH=/opt/watchdog/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["watchdog"]
CMD ["run"]
