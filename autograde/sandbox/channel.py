"""A ZeroMQ peer with bounded memory, for sockets whose other end belongs to a student.

libzmq keeps a multi-part message in memory until its last part has come, however long it grows, so
a hostile kernel can exhaust the memory of whoever listens. This is the little of ZMTP 3.0
(rfc.zeromq.org/spec/23) that a Jupyter client needs: NULL mechanism, DEALER and SUB. What is
larger than the limits is read and thrown away.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4
MAX_PARTS = 256


class ChannelClosed(Exception):
    """The other end is gone, or does not speak the protocol."""


class Dropped:
    """Stands in for a message that passed the limits."""


class Channel:
    """One connected socket.

    Parameters
    ----------
    address: path of a unix socket, or (host, port)
    kind: "DEALER" or "SUB" (subscribed to everything)
    max_message: bytes of the longest message that is kept
    timeout: seconds for connection and handshake
    """

    def __init__(
        self,
        address: str | tuple[str, int],
        kind: str,
        max_message: int = 32 << 20,
        timeout: float = 30,
    ) -> None:
        self.max_message = max_message
        self.received = 0  # bytes, ever
        self._buffer = bytearray()
        self._chunk = bytearray(1 << 18)
        self._parts: list[bytes] = []
        self._size = 0  # bytes of the parts so far
        self._skip = 0  # bytes of a part still to be thrown away
        self._skip_more = False
        self._dropping = False
        unix = isinstance(address, str)
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        try:
            self.socket.settimeout(timeout)
            self.socket.connect(address)
            self._handshake(kind, time.monotonic() + timeout)
        except (OSError, ChannelClosed) as error:
            self.socket.close()
            raise ChannelClosed(f"no connection to the kernel: {error}") from error
        self.socket.setblocking(False)

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()

    def _handshake(self, kind: str, deadline: float) -> None:
        properties = b"".join(
            bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
            for name, value in ((b"Socket-Type", kind.encode()), (b"Identity", b""))
        )
        ready = b"\x05READY" + properties
        self.socket.sendall(GREETING + bytes([COMMAND, len(ready)]) + ready)
        theirs = self._exactly(64, deadline)
        if theirs[0] != 0xFF or theirs[10] < 3 or theirs[12:16] != b"NULL":
            raise ChannelClosed("not a ZeroMQ 3 socket")
        flags, length = self._exactly(2, deadline)
        if flags != COMMAND or not self._exactly(length, deadline).startswith(b"\x05READY"):
            raise ChannelClosed("refused by the other end")
        if kind == "SUB":
            self.socket.sendall(b"\x00\x01\x01")

    def _exactly(self, count: int, deadline: float) -> bytes:
        data = b""
        while len(data) < count:
            if time.monotonic() > deadline:
                raise ChannelClosed("the handshake takes too long")
            part = self.socket.recv(count - len(data))
            if not part:
                raise ChannelClosed("closed by the other end")
            data += part
        return data

    def send(self, parts: list[bytes], timeout: float = 10) -> None:
        """Send one message. Raises ChannelClosed also when the other end does not read."""
        data = b"".join(
            bytes([LONG | (MORE if index < len(parts) - 1 else 0)])
            + struct.pack(">Q", len(part))
            + part
            for index, part in enumerate(parts)
        )
        try:
            self.socket.settimeout(timeout)
            self.socket.sendall(data)
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        finally:
            with contextlib.suppress(OSError):
                self.socket.setblocking(False)

    def receive(self, rounds: int = 16) -> list[list[bytes] | Dropped]:
        """The messages that have come, reading at most `rounds` chunks. Raises ChannelClosed."""
        messages: list[list[bytes] | Dropped] = []
        for _ in range(rounds):
            try:
                count = self.socket.recv_into(self._chunk)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                raise ChannelClosed(str(error)) from error
            if count == 0:
                if messages:
                    break  # the next call will find it closed
                raise ChannelClosed("closed by the other end")
            self.received += count
            self._buffer += memoryview(self._chunk)[:count]
            self._split(messages)
            if count < len(self._chunk):
                break
        return messages

    def _split(self, messages: list[list[bytes] | Dropped]) -> None:
        buffer = self._buffer
        while True:
            if self._skip:
                gone = min(self._skip, len(buffer))
                del buffer[:gone]
                self._skip -= gone
                if self._skip:
                    return
                if not self._skip_more:
                    self._end(messages)
            if len(buffer) < 2:
                return
            flags = buffer[0]
            if flags & LONG:
                if len(buffer) < 9:
                    return
                head, length = 9, struct.unpack_from(">Q", buffer, 1)[0]
            else:
                head, length = 2, buffer[1]
            more = bool(flags & MORE) and not flags & COMMAND
            if flags & COMMAND:
                if length > 1 << 16:
                    raise ChannelClosed("a command of nonsensical size")
            elif self._size + length > self.max_message or len(self._parts) >= MAX_PARTS:
                self._dropping = True
                self._parts.clear()
            if self._dropping and not flags & COMMAND:
                del buffer[:head]
                self._skip, self._skip_more = length, more
                if length == 0 and not more:
                    self._end(messages)
                continue
            if len(buffer) < head + length:
                return
            if not flags & COMMAND:
                self._parts.append(bytes(memoryview(buffer)[head : head + length]))
                self._size += length
            del buffer[: head + length]
            if not more and not flags & COMMAND:
                self._end(messages)

    def _end(self, messages: list[list[bytes] | Dropped]) -> None:
        messages.append(Dropped() if self._dropping else self._parts)
        self._parts, self._size, self._dropping = [], 0, False
