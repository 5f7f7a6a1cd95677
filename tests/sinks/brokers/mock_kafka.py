"""A process of its own: librdkafka's cluster of three brokers in memory, with a gate before each that asks a password.

Prints the gates' addresses, then answers each line of its input: ``down`` and ``up``, of all brokers or those named;
``refuse 29 2``: the next two requests to write are answered by this error of Kafka.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import sys
from pathlib import Path
from struct import pack, unpack_from

import confluent_kafka

BROKERS = 3
#: Milliseconds for which a group waits for more members before it is shared out.
REBALANCE = 300
_PRODUCE, _API_VERSIONS, _HANDSHAKE, _AUTHENTICATE = 0, 18, 17, 36
_UNSUPPORTED_VERSION, _AUTHENTICATION_FAILED = 35, 58


class Mock:
    """The cluster inside the wheel of confluent-kafka."""

    def __init__(self) -> None:
        folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
        self._lib = lib = ctypes.CDLL(str(next(folder.glob("librdkafka-*.so*"))))
        pointer = ctypes.c_void_p
        lib.rd_kafka_conf_new.restype = lib.rd_kafka_new.restype = lib.rd_kafka_mock_cluster_new.restype = pointer
        lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        error = ctypes.create_string_buffer(512)
        client = pointer(lib.rd_kafka_new(0, pointer(lib.rd_kafka_conf_new()), error, ctypes.c_size_t(512)))
        assert client.value, error.value
        self._cluster = pointer(lib.rd_kafka_mock_cluster_new(client, BROKERS))
        lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, ctypes.c_int32(REBALANCE))
        lib.rd_kafka_mock_set_controller_id(self._cluster, ctypes.c_int32(1))
        places = lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode().split(",")
        self.ports = [int(place.rpartition(":")[2]) for place in places]

    def advertise(self, broker: int, port: int) -> None:
        """Clients are told that this broker is at this port."""
        self._lib.rd_kafka_mock_broker_set_host_port(self._cluster, ctypes.c_int32(broker), b"127.0.0.1", port)

    def turn(self, word: str, brokers: list[int]) -> None:
        """Brokers go down or come up again, with what they keep."""
        turn = {"down": self._lib.rd_kafka_mock_broker_set_down, "up": self._lib.rd_kafka_mock_broker_set_up}[word]
        for broker in brokers:
            assert turn(self._cluster, ctypes.c_int32(broker)) == 0

    def refuse(self, error: int, requests: int) -> None:
        """The next requests to write are answered by an error."""
        errors = (ctypes.c_int * requests)(*[error] * requests)
        push = self._lib.rd_kafka_mock_push_request_errors_array
        push(self._cluster, ctypes.c_int16(_PRODUCE), ctypes.c_size_t(requests), errors)


class Gate:
    """Lets through to one broker whoever shows the password by SASL/PLAIN; Kafka's own frames."""

    def __init__(self, port: int, login: bytes) -> None:
        self._port, self._login = port, login

    async def admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                there = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    if await self._let_in(reader, writer, *there):
                        await asyncio.gather(_pass_on(reader, there[1]), _pass_on(there[0], writer))
                finally:
                    there[1].close()
            finally:
                writer.close()

    async def _let_in(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        answers: asyncio.StreamReader, asked: asyncio.StreamWriter,
    ) -> bool:  # fmt: skip
        while True:
            frame = await _frame(reader)
            api, version, number = unpack_from(">hhi", frame)
            if api == _API_VERSIONS and version == 0:
                asked.write(pack(">i", len(frame)) + frame)
                body = await _frame(answers)
                [count] = unpack_from(">i", body, 6)
                more = pack(">hhhhhh", _HANDSHAKE, 0, 1, _AUTHENTICATE, 0, 0)
                _answer(writer, number, body[4:6] + pack(">i", count + 2) + body[10 : 10 + 6 * count] + more)
            elif api == _API_VERSIONS:
                _answer(writer, number, pack(">hi", _UNSUPPORTED_VERSION, 0))
            elif api == _HANDSHAKE:
                _answer(writer, number, pack(">hih", 0, 1, 5) + b"PLAIN")
            elif api == _AUTHENTICATE and frame.endswith(self._login):
                _answer(writer, number, pack(">hhi", 0, -1, 0))
                return True
            elif api == _AUTHENTICATE:
                words = b"Invalid username or password"
                _answer(writer, number, pack(">hh", _AUTHENTICATION_FAILED, len(words)) + words + pack(">i", 0))
            else:
                return False


async def _frame(reader: asyncio.StreamReader) -> bytes:
    [size] = unpack_from(">i", await reader.readexactly(4))
    return await reader.readexactly(size)


def _answer(writer: asyncio.StreamWriter, number: int, body: bytes) -> None:
    writer.write(pack(">ii", 4 + len(body), number) + body)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def main(user: str, password: str) -> None:
    mock, gates = Mock(), []
    for broker, port in enumerate(mock.ports, 1):
        gate = Gate(port, f"\0{user}\0{password}".encode())
        server = await asyncio.start_server(gate.admit, "127.0.0.1", 0)
        gates.append(server.sockets[0].getsockname()[1])
        mock.advertise(broker, gates[-1])
    print(",".join(f"127.0.0.1:{port}" for port in gates), flush=True)  # noqa: T201 - read by the test
    while line := await asyncio.to_thread(sys.stdin.readline):
        word, *numbers = line.split()
        given = [int(one) for one in numbers]
        if word == "refuse":
            mock.refuse(*given)
        else:
            mock.turn(word, given or [*range(1, BROKERS + 1)])
        print("done", flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
