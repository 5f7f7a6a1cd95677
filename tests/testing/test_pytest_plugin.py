"""The fixtures that users get with the package."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tapewire.errors import ConfigError
from tapewire.testing.background import BackgroundSimulator

pytest_plugins = ["pytester"]

_USER_TEST = """
import json, socket, base64, os, urllib.request
import pytest

@pytest.fixture
def upbit_scenario():
    return {"markets": ("KRW-BTC",), "seed": 3}

def test_rest(upbit_simulator):
    body = urllib.request.urlopen(upbit_simulator.rest_url + "/v1/market/all").read()
    assert [row["market"] for row in json.loads(body)] == ["KRW-BTC"]

def test_socket(upbit_simulator):
    host, port = upbit_simulator.rest_url.removeprefix("http://").split(":")
    line = socket.create_connection((host, int(port)), timeout=10)
    key = base64.b64encode(os.urandom(16)).decode()
    line.sendall(f"GET /websocket/v1 HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
                 f"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: {key}\\r\\n\\r\\n".encode())
    assert b"101" in line.recv(4096)
    assert upbit_simulator.connected == 1
    upbit_simulator.drop(1001, "bye")
    assert line.recv(4096) == b"\\x88\\x05\\x03\\xe9bye"
    line.close()
"""


def test_a_users_test_gets_a_simulator_of_its_own_scenario(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(_USER_TEST)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio")
    result.assert_outcomes(passed=2)


_OKX_TEST = """
import json, urllib.request
import pytest

@pytest.fixture
def okx_scenario():
    return {"markets": ("BTC-USDT-SWAP",)}

def test_rest(okx_simulator):
    address = okx_simulator.rest_url + "/api/v5/public/instruments?instType=SWAP"
    assert [row["instId"] for row in json.loads(urllib.request.urlopen(address).read())["data"]] == ["BTC-USDT-SWAP"]
    assert okx_simulator.urls["business"].endswith("/ws/v5/business")

def test_another_venue(okx_simulator, upbit_simulator):
    assert okx_simulator.rest_url != upbit_simulator.rest_url
"""


def test_a_users_test_gets_a_simulated_okx_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(_OKX_TEST)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio")
    result.assert_outcomes(passed=2)


def test_loading_the_plugin_imports_nothing_of_tapewire_but_itself() -> None:
    code = (
        "import pytest, sys; before = set(sys.modules); import tapewire.testing.pytest_plugin;"
        "import json; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    loaded = json.loads(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=30).stdout
    )
    assert set(loaded) <= {"tapewire", "tapewire.testing", "tapewire.testing.pytest_plugin", *_MARGIN}


#: What the package's own ``__init__`` may need for lazy names.
_MARGIN = {"importlib", "importlib._abc", "importlib.util", "importlib.metadata"}


def test_the_simulator_in_a_thread_answers_from_any_thread() -> None:
    with BackgroundSimulator(markets=("KRW-BTC",)) as simulator:
        assert simulator.url.startswith("ws://127.0.0.1:")
        assert simulator.url.endswith("/websocket/v1")
        simulator.refuse(503, times=2)
        simulator.slow(0.0)
        simulator.inject(b"{}")
        simulator.ping(1.0)
        for deed in (simulator.abort, simulator.freeze, simulator.cut, simulator.silence):
            deed()
        simulator.maintenance(0.0)
        assert (simulator.connects, simulator.requests, simulator.violations) == ([], [], [])
        assert simulator.pings == []
        assert isinstance(simulator.trades, list)


def test_it_takes_orders_and_announces_from_any_thread() -> None:
    with BackgroundSimulator(markets=("KRW-BTC",)) as simulator:
        order = simulator.place_order("KRW-BTC", "bid", price="80000000", volume="0.001")
        assert order.state == "wait"
        assert simulator.cancel_order(order.uuid).state == "cancel"
        assert order.state == "wait", "a picture, not the exchange's own"
        assert [one.state for one in simulator.orders()] == ["cancel"]
        assert simulator.announce("Works", "maintenance").isdigit()
        simulator.close_candles("15m")
        assert [key.access_key for key in simulator.keys] == ["sim-access-key"]


def test_a_scenario_that_cannot_be_is_refused_before_a_thread_is_made() -> None:
    with pytest.raises(ConfigError, match="speed"):
        BackgroundSimulator(speed=0)


def test_a_simulator_that_cannot_start_leaves_no_thread() -> None:
    simulator = BackgroundSimulator(switches={"nonsense": 1})
    with pytest.raises(ConfigError, match="nonsense"), simulator:
        pass
    assert not simulator._thread.is_alive()
