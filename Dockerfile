# grpcdns as a container: non-root, writes only to /run/grpcdns and /tmp.

FROM python:3.11-slim AS build
WORKDIR /src
# The C compiler that the core is compiled with; it is not in the image.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
RUN python -m venv /opt/grpcdns
COPY requirements.lock ./
RUN /opt/grpcdns/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY grpcdns grpcdns
# docker build --build-arg REVISION=$(git rev-parse HEAD): shown by grpcdns_build_info.
ARG REVISION=""
RUN printf '%s\n' "$REVISION" > grpcdns/REVISION
RUN GRPCDNS_COMPILE=1 /opt/grpcdns/bin/pip install --no-cache-dir --no-deps .

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
