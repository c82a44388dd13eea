"""Very many WebSocket clients in one process, as cheap as can be. Run by benchmarks.fanout.

``python -m benchmarks.fanout_load PORT CLIENTS STALLED DEFLATE``: connects, prints "ready", counts the messages of each
client and notes when each came. A line on standard input holds when each batch was published; then it prints what it
saw as a JSON object. Payloads are not looked at: no message was skipped where the count is right.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.fanout_servers import MESSAGES_A_BATCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.types import F64

STALLED_BUFFER = 4096
CONNECTED_AT_ONCE = 20  # then those that are get a look


class Client:
    """One connection. State: the rest of an incomplete frame, and when each message came."""

    def __init__(self, port: int, *, deflate: bool, buffer: int | None = None) -> None:
        """Connect and shake hands."""
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect(("127.0.0.1", port))
        lines = ["GET /ws HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Extensions: permessage-deflate"] * deflate
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(4096)
        if not answer.startswith(b"HTTP/1.1 101"):
            sys.exit(f"refused: {answer[:100]!r}")
        if deflate != (b"permessage-deflate" in answer):
            sys.exit("compression was not agreed on as asked")
        self.rest = answer.partition(b"\r\n\r\n")[2]
        self.arrivals: list[float] = []
        self.bytes = 0

    def take(self) -> bool:
        """Read what there is; return whether the connection still stands."""
        chunk = self.socket.recv(65_536)
        now = time.monotonic()
        self.bytes += len(chunk)
        data = self.rest + chunk if self.rest else chunk
        at, end = 0, len(data)
        while at + 4 <= end:
            length, head = data[at + 1], 2
            if length == 126:
                length, head = data[at + 2] << 8 | data[at + 3], 4
            if at + head + length > end:
                break
            opcode = data[at] & 0x0F
            if opcode in (1, 2):
                self.arrivals.append(now)
            elif opcode == 9:  # ping; the answer is masked, by zeros
                self.socket.send(bytes((0x8A, 0x80 | length, 0, 0, 0, 0)) + data[at + head : at + head + length])
            at += head + length
        self.rest = data[at:]
        return bool(chunk)


def main(arguments: Sequence[str] | None = None) -> None:
    """Connect, read until told to stop, report."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    port, count, stalled, deflate = map(int, sys.argv[1:] if arguments is None else arguments)
    idle = [Client(port, deflate=False, buffer=STALLED_BUFFER) for _ in range(stalled)]
    clients: dict[int, Client] = {}
    poll = select.epoll()

    def read(limit_s: float) -> None:
        for number, _ in poll.poll(limit_s):
            if not clients[number].take():
                poll.unregister(number)

    while len(clients) < count:
        client = Client(port, deflate=bool(deflate))
        clients[client.socket.fileno()] = client
        poll.register(client.socket, select.EPOLLIN)
        if not len(clients) % CONNECTED_AT_ONCE:
            read(0.0)
    published: list[list[float]] = []
    threading.Thread(target=lambda: published.append(json.loads(sys.stdin.readline())), daemon=True).start()
    print("ready", flush=True)
    while not published:
        read(0.1)
    print(json.dumps(report(list(clients.values()), np.repeat(published[0], MESSAGES_A_BATCH))))
    for client in idle:
        client.socket.close()


def report(clients: list[Client], published: F64) -> dict[str, float]:
    """Return what the clients saw of messages that were published at these moments."""
    expected = len(published)
    whole = np.array([client.arrivals for client in clients if len(client.arrivals) == expected])
    latencies_ms = (whole - published).ravel() * 1e3 if len(whole) else np.array([np.nan])
    p50, p99 = np.percentile(latencies_ms, [50, 99])
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": latencies_ms.max(),
        "not_come": sum(abs(expected - len(client.arrivals)) for client in clients),
        "kb_a_second": sum(client.bytes for client in clients) / len(clients) / np.ptp(published) / 1e3,
    }


if __name__ == "__main__":
    main()
