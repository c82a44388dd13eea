# Page and stream at port 8765, as a user without rights, on a root file system that nothing writes to. docs/deploy.md.
FROM python:3.12-slim-bookworm AS build
COPY pyproject.toml README.md LICENSE /src/
COPY stream_analyzer /src/stream_analyzer
COPY models /src/models
COPY web /src/web
COPY docs/asyncapi.yaml /src/docs/asyncapi.yaml
RUN python -m venv /opt/stream-analyzer && \
    /opt/stream-analyzer/bin/pip install --no-cache-dir --no-compile '/src[media,midi]' && \
    /opt/stream-analyzer/bin/python -m compileall -q /opt/stream-analyzer/lib

FROM python:3.12-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends libportaudio2 libasound2-plugins && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --uid 10001 --groups audio --no-create-home --shell /usr/sbin/nologin listener && \
    install -d -o listener -g listener -m 0700 /state
COPY --from=build /opt/stream-analyzer /opt/stream-analyzer
COPY deploy/health.py /opt/stream-analyzer/health.py
ENV PATH=/opt/stream-analyzer/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 XDG_STATE_HOME=/state
USER 10001
VOLUME /state
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "/opt/stream-analyzer/health.py"]
ENTRYPOINT ["stream-analyzer"]
CMD ["run", "--host", "0.0.0.0"]
