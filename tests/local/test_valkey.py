"""The embedded Valkey keeps what it can and always comes back."""

import stat
import time

import pytest
import redis

from local.valkey import Valkey


@pytest.fixture
def own(folder, request):
    """A server that the test may ruin."""
    server = Valkey(folder / request.node.name[:20])
    yield server
    server.stop()


def client(server: Valkey) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_what_it_holds_survives_a_stop_and_a_kill(own):
    own.start()
    with client(own) as store:
        store.set("kept", "1")
        own.stop()
        own.start()
        assert store.get("kept") == "1"
        time.sleep(1.1)  # it writes out each second
        own.kill()
        assert not own.ready()
        own.start()
        assert store.get("kept") == "1"


def test_it_never_evicts_and_listens_on_no_port(own):
    own.start()
    with client(own) as store:
        settings = store.config_get("maxmemory-policy", "port", "appendonly")
    assert settings == {"maxmemory-policy": "noeviction", "port": "0", "appendonly": "yes"}
    assert stat.S_IMODE(own.places.valkey_socket.stat().st_mode) == 0o600


def test_another_instance_adopts_it_and_stops_it(own):
    own.start(outlives_us=True)
    heir = Valkey(own.places.data)
    heir.start()
    with client(own) as store:
        assert store.info("server")["process_id"] == own._child.pid
    heir.stop()
    assert not own.alive()


def test_a_store_that_cannot_be_read_is_set_aside(own):
    own.start()
    own.stop()
    for part in (own.places.valkey / "appendonlydir").iterdir():
        part.write_bytes(b"nonsense\n")
    own.start()
    assert own.ready()
    assert len(list(own.places.data.glob("valkey.unreadable-*"))) == 1
