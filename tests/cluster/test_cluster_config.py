"""The configuration of three NATS servers: deploy/cluster/nats.conf, and its certificates."""

from __future__ import annotations

import asyncio
import shutil
import signal
import ssl
import subprocess
from pathlib import Path

import nats.errors
import pytest
import yaml
from tests.kit.nats_cluster import (
    HOST,
    NAMES,
    NatsCluster,
    all_current,
    jetstream_ready,
    leader_of,
    stream_info,
)
from tests.kit.nats_server import binary, start, until
from tests.kit.scripted_nats import scripted_nats

from aero2 import cluster_certificates, cluster_config, nats_access
from aero2.failures import CommandError
from common.audit import STREAM
from common.nats_client import NatsClient
from common.nats_tls import client_context
from common.outbox import ensure_stream

ROOT = Path(__file__).parents[2]


def test_the_file_is_what_the_code_needs() -> None:
    """deploy/cluster/nats.conf is what `make nats-conf` writes, with the users and permissions of
    deploy/nats.conf."""
    file = ROOT / "deploy" / "cluster" / "nats.conf"

    assert file.read_text() == cluster_config.deployed_configuration(), "run `make nats-conf`"
    services = nats_access.compose_configuration().partition("  AERO2 {")[2]
    assert services.partition("\n    ]")[0] in file.read_text()


def test_the_server_takes_the_file(tmp_path: Path) -> None:
    """nats-server finds no fault in the file, with the certificates that the command makes and the variables
    that the compose file passes."""
    cluster_certificates.write(tmp_path, cluster_config.HOSTS)
    file = (ROOT / "deploy" / "cluster" / "nats.conf").read_text()
    file = file.replace("/etc/nats/certificates", str(tmp_path / "nats-1"))
    (tmp_path / "nats.conf").write_text(file.replace("/data/jetstream", str(tmp_path / "store")))
    compose = yaml.safe_load((ROOT / "deploy/cluster/docker-compose.nats.yml").read_text())
    names = {*compose["services"]["nats"]["environment"], *compose["services"]["nats"]["secrets"]}
    environment = {name: "nats-1" if name == "NATS_SERVER_NAME" else "pw" for name in names}

    done = subprocess.run(
        [binary(), "-t", "-c", str(tmp_path / "nats.conf")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert names == {
        f"NATS_{u.upper()}_PASSWORD"
        for u in (*nats_access.SERVICES, nats_access.CLI, nats_access.CALLOUT)
    } | {
        "NATS_SYSTEM_PASSWORD",
        "NATS_SERVER_NAME",
    }


def test_compose_mounts_what_the_file_names() -> None:
    """The compose file of a server runs the image of docker-compose.yml with this configuration."""
    compose = yaml.safe_load((ROOT / "deploy/cluster/docker-compose.nats.yml").read_text())
    main = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    server, alone = compose["services"]["nats"], main["services"]["nats"]

    assert server["image"] == alone["image"]
    assert server["command"][-1].splitlines()[-1] == f"exec {' '.join(alone['command'])}"
    volumes = [volume.split(":") for volume in server["volumes"]]
    inside = {place for _, place, *_ in volumes}
    assert inside == {"/data", "/etc/nats/aero2.conf", "/etc/nats/certificates"}
    assert volumes[1][0] == "./nats.conf"
    assert {port.rsplit(":", 1)[1] for port in server["ports"]} == {"4222", "6222"}
    assert server["stop_grace_period"] == "60s"  # longer than lame_duck_duration


async def test_three_servers_keep_a_copy_each(cluster: NatsCluster) -> None:
    """Three servers with these files find each other over TLS, and the stream gets three copies. A service
    may create it with the permissions that it has."""
    nc = await cluster.connect("identity")
    js = nc.jetstream(timeout=5)
    await jetstream_ready(js)
    await ensure_stream(js, replicas=3)
    await all_current(js)
    ack = await js.publish("audit.identity.x.batch", b"{}")

    info = await stream_info(js)
    assert info is not None
    assert info.cluster is not None
    assert info.cluster.replicas is not None
    names = {info.cluster.leader, *(replica.name for replica in info.cluster.replicas)}
    assert names == set(NAMES)
    assert (ack.stream, info.config.num_replicas) == (STREAM, 3)
    assert info.state.last_seq == ack.seq
    for name in NAMES:
        routes = cluster.monitor(name, "/routez")["routes"]
        assert {route["remote_name"] for route in routes} == set(NAMES) - {name}
    await nc.close()


@pytest.mark.long
async def test_the_stream_survives_its_leader(cluster: NatsCluster) -> None:
    """After the leader was killed, another server leads, and what was acknowledged is there."""
    nc = await cluster.connect("identity")
    js = nc.jetstream(timeout=5)
    await ensure_stream(js, replicas=3)
    await all_current(js)
    ack = await js.publish("audit.identity.x.batch", b"kept")
    leader = await leader_of(js)
    cluster.stop(leader, how=signal.SIGKILL)
    try:
        other = await leader_of(js)
        info = await stream_info(js)
        assert other != leader
        assert info is not None
        assert info.state.last_seq == ack.seq
    finally:
        cluster.start(leader)
    await all_current(js)
    await nc.close()


async def test_a_route_needs_a_certificate(cluster: NatsCluster, tmp_path: Path) -> None:
    """A server gets no answer on the port of the routes without a certificate, or with one of another
    authority."""
    cluster_certificates.write(tmp_path, (HOST,))
    ours = Path(cluster.ca_file).parent / HOST

    assert (await _route_greeting(cluster, ours)).startswith(b"INFO")
    assert await _route_greeting(cluster, tmp_path / HOST) == b""
    assert await _route_greeting(cluster, None) == b""


async def _route_greeting(cluster: NatsCluster, certificate: Path | None) -> bytes:
    """Returns what a server says to another one that shows a certificate, or nothing."""
    context = ssl.create_default_context(cafile=cluster.ca_file)
    if certificate is not None:
        context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    port = cluster.routes["nats-1"]
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
            greeting = await reader.readline()
    except OSError:
        return b""
    writer.transport.abort()
    return greeting


async def test_a_service_takes_no_server_of_another_authority(
    cluster: NatsCluster, tmp_path: Path
) -> None:
    """A client checks the server's certificate before it sends its password. It goes on to the next server,
    when it starts and when it connects again."""
    cluster_certificates.write(tmp_path, (HOST,))
    stranger = tmp_path / HOST
    tls = f'tls {{ cert_file: "{stranger}/certificate.pem", key_file: "{stranger}/key.pem" }}'
    wrong = start(tmp_path / "wrong", tls, jetstream=False)
    servers = [wrong.url, cluster.servers["nats-1"].url]

    try:
        async with asyncio.timeout(30):
            nc = await cluster.connect("gateway", servers=servers, connect_timeout=2)
            await nc.force_reconnect()
            await until(lambda: nc.stats["reconnects"] == 1 and nc.is_connected)
            assert nc.connected_url is not None
            assert nc.connected_url.port == cluster.servers["nats-1"].port
            await nc.close()
    finally:
        wrong.stop(signal.SIGKILL)


@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_no_password_goes_without_tls(
    cluster: NatsCluster, tmp_path: Path, scheme: str
) -> None:
    """If the process that answers as the server says nothing of TLS, a client that shall use TLS sends no password.
    nats-py alone would send it."""
    async with scripted_nats() as server:
        nc = NatsClient()
        tls = client_context(cluster.ca_file) if scheme == "nats" else None
        with pytest.raises(nats.errors.Error):
            await nc.connect(
                server.url.replace("nats:", f"{scheme}:"),
                user="gateway",
                password="secret",
                allow_reconnect=False,
                max_reconnect_attempts=1,
                connect_timeout=2,
                tls=tls,
            )
        assert b"secret" not in server.greeted


async def test_certificates_are_renewed_without_a_stop(
    cluster: NatsCluster, tmp_path: Path
) -> None:
    """New certificates of the same authority are taken at a reload. Connections and JetStream stay."""
    folder = Path(cluster.ca_file).parent
    before = (folder / HOST / "certificate.pem").read_bytes()
    nc = await cluster.connect("identity")
    cluster_certificates.write(folder, (HOST,))
    for server in cluster.servers.values():
        server.signal(signal.SIGHUP)
    await asyncio.sleep(0.5)

    assert (folder / HOST / "certificate.pem").read_bytes() != before
    assert nc.stats["reconnects"] == 0
    presented = await asyncio.to_thread(_presented, cluster)
    assert presented == ssl.PEM_cert_to_DER_cert((folder / HOST / "certificate.pem").read_text())
    assert cluster.healthy()
    await nc.close()


def _presented(cluster: NatsCluster) -> bytes:
    """Returns the certificate that the first server shows to clients."""
    import socket

    with socket.create_connection((HOST, cluster.servers["nats-1"].port), timeout=5) as link:
        link.recv(4096)
        context = ssl.create_default_context(cafile=cluster.ca_file)
        with context.wrap_socket(link, server_hostname=HOST) as secured:
            shown = secured.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def test_an_authority_that_ends_too_soon_signs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate never outlives its authority. The keys are readable by their owner only, and the
    authority stays when certificates are made again."""
    cluster_certificates.write(tmp_path, ("a", "b"))
    authority = (tmp_path / "ca.pem").read_bytes()
    cluster_certificates.write(tmp_path, ("a", "c"))
    assert (tmp_path / "ca.pem").read_bytes() == authority == (tmp_path / "c/ca.pem").read_bytes()
    for key in ("ca-key.pem", "a/key.pem", "c/key.pem"):
        assert (tmp_path / key).stat().st_mode & 0o777 == 0o600

    shutil.rmtree(tmp_path / "a")
    monkeypatch.setattr(cluster_certificates, "LIFETIME", cluster_certificates.LIFETIME * 20)
    with pytest.raises(CommandError, match="ends on"):
        cluster_certificates.write(tmp_path, ("a",))
    assert not (tmp_path / "a").exists()

    (tmp_path / "ca-key.pem").write_text("damaged")
    with pytest.raises(CommandError, match="cannot be read"):
        cluster_certificates.write(tmp_path, ("a",))
