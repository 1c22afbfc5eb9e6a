# grpcdns as a container, for linux/amd64 and linux/arm64 (each dependency has a wheel for both):
# non-root, no pip and no shell needed, writes only to /run/grpcdns and /tmp.
#
# tests/system/deploy/test_dockerfile.py runs these steps, and the result, without an engine.

FROM python:3.11-slim AS build
WORKDIR /src
# The C compiler that the core is compiled with; it is not in the image.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
RUN python -m venv --without-pip /opt/grpcdns
COPY requirements.lock ./
# kubernetes/aio is a second client, for asyncio, which nothing imports.
RUN python -m pip --python /opt/grpcdns/bin/python install --no-cache-dir --require-hashes -r requirements.lock \
  && rm -r /opt/grpcdns/lib/python3.*/site-packages/kubernetes/aio
COPY pyproject.toml setup.py README.md LICENSE ./
COPY grpcdns grpcdns
# docker build --build-arg REVISION=$(git rev-parse HEAD): shown by grpcdns_build_info.
ARG REVISION=""
RUN printf '%s\n' "$REVISION" > grpcdns/REVISION
RUN GRPCDNS_COMPILE=1 python -m pip --python /opt/grpcdns/bin/python install --no-cache-dir --no-deps .

FROM python:3.11-slim
COPY --from=build /opt/grpcdns /opt/grpcdns
# The user of CoreDNS's image, so that CoreDNS may connect to the sockets.
RUN install -d -o 65532 -g 65532 -m 0750 /run/grpcdns
ENV PATH=/opt/grpcdns/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
VOLUME /run/grpcdns
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
  CMD ["grpcdns", "check", "--quiet", "--any", "--server", "unix:///run/grpcdns/0.sock", "--server", "unix:///run/grpcdns/1.sock"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["grpcdns"]
CMD ["serve"]
