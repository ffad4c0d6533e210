"""Turns what a kernel sends, which a student may have forged, into sane, bounded outputs."""

from __future__ import annotations

import json
import math
import re
from typing import Any

OBSERVATION_MIME = "application/vnd.course-utils.observation+json"
MAX_OBSERVATION_BYTES = 8 << 20
MAX_DEPTH = 32
MAX_CONTAINERS = 300_000  # lists and objects in one message: each takes far more than its bytes
MAX_PARSED = 1 << 20
MAX_NAME = 200
MAX_OUTPUTS = 1000
MAX_TRACEBACK = 20_000
MAX_METADATA = 10_000
MAX_HEADER = 1 << 16
DELIMITER = b"<IDS|MSG>"
_MIME = re.compile(r"[a-z0-9][\w.+-]*/[\w.+-]+(;\s*[\w.+-]+=[\w.+-]+)*", re.ASCII | re.IGNORECASE)
_JSON_MIME = re.compile(r"application/(json|.*\+json)")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Malformed(ValueError):
    """Not something an honest kernel sends."""


class TooLarge(Malformed):
    """It would take too much memory."""


def parse_json(raw: bytes) -> Any:
    """JSON of limited depth and size whose strings can be encoded. Raises Malformed only."""
    if raw.count(b"[") + raw.count(b"{") > MAX_CONTAINERS:
        raise TooLarge("too many parts")
    try:
        return _plain(json.loads(raw.decode("utf-8", "replace")), MAX_DEPTH)
    except (ValueError, RecursionError, MemoryError) as error:
        raise Malformed(str(error)[:200]) from None


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if depth == 0:
        raise Malformed("nested too deeply")
    if isinstance(value, list):
        return [
            _plain(item, depth - 1) if isinstance(item, (str, list, dict)) else item
            for item in value
        ]
    if isinstance(value, dict):
        return {_plain(key, 1): _plain(item, depth - 1) for key, item in value.items()}
    return value


def _finite(value: Any) -> Any:
    """JSON as browsers read it, which know no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value


def split_message(parts: list[bytes]) -> tuple[str, str, bytes]:
    """(message type, id of the request it answers, content as bytes). Raises Malformed."""
    try:
        start = parts.index(DELIMITER)
        header, parent, content = parts[start + 2], parts[start + 3], parts[start + 5]
    except (ValueError, IndexError):
        raise Malformed("not a Jupyter message") from None
    if len(header) > MAX_HEADER or len(parent) > MAX_HEADER:
        raise Malformed("oversized header")
    header, parent = parse_json(header), parse_json(parent)
    kind = header.get("msg_type") if isinstance(header, dict) else None
    asked = parent.get("msg_id") if isinstance(parent, dict) else None
    if not isinstance(kind, str):
        raise Malformed("no message type")
    return kind, asked if isinstance(asked, str) else "", content


def clip(text: str, size: int, mark: str = "\n[...]\n") -> str:
    """`text`, or its beginning and end when it is longer than `size` characters."""
    if len(text) <= size:
        return text
    head = size * 2 // 3
    return text[:head] + mark + text[len(text) - (size - head) :]


def error_output(name: str, value: str, traceback: list[str] | None = None) -> dict[str, Any]:
    """An nbformat error output; a traceback of one plain line where none is given."""
    lines = [f"{name}: {value}"] if traceback is None else traceback
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": lines}


class Outputs:
    """The outputs of one cell, at most `limit` bytes of them.

    `finish()` gives valid nbformat outputs whatever was fed. With a `nonce` no output is kept:
    `observation` becomes the first observation that carries it.
    """

    def __init__(self, limit: int, nonce: str = "") -> None:
        self.limit = limit
        self.nonce = nonce
        self.items: list[dict[str, Any]] = []  # the text of streams still in pieces
        self.observation: dict[str, Any] | None = None
        self.too_large = False  # an observation was
        self.truncated = False
        self.size = 0
        self._clear_first = False
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._errors = 0

    def feed(self, kind: str, content: bytes) -> None:
        """Take one message of type `kind`. Never raises for what is in it."""
        if kind not in _HANDLERS:
            return
        if self.nonce:
            self._feed_observation(content)
            return
        # An error, the last thing an honest cell sends, is kept even behind too much text.
        if self.truncated and kind not in ("error", "clear_output"):
            return
        try:
            # Text is cut at the limit; of anything else so much would be left out in any case.
            if kind != "stream" and len(content) > 8 * self.limit + MAX_PARSED:
                raise TooLarge("far over the limit")
            value = parse_json(content)
            if isinstance(value, dict):
                _HANDLERS[kind](self, value)
        except TooLarge:
            self._truncate()
        except Malformed:
            pass

    def _feed_observation(self, content: bytes) -> None:
        if self.observation is not None or self.nonce.encode() not in content:
            return
        if len(content) > MAX_OBSERVATION_BYTES:
            self.too_large = True
            return
        try:
            bundle = parse_json(content)["data"][OBSERVATION_MIME]
            if bundle["nonce"] == self.nonce and isinstance(bundle["observation"], dict):
                self.observation = bundle["observation"]
        except (Malformed, LookupError, TypeError):
            pass

    def note(self, text: str) -> None:
        """Add a line of the engine's own."""
        self.items.append({"output_type": "stream", "name": "stdout", "text": [f"\n[{text}]\n"]})

    def finish(self) -> list[dict[str, Any]]:
        """The outputs."""
        return [
            {**item, "text": "".join(item["text"])} if item["output_type"] == "stream" else item
            for item in self.items
        ]

    def dropped(self) -> None:
        """A message was too large to be received at all."""
        if not self.too_large:
            self.too_large = True
            self.note("output left out: too large")

    def _truncate(self) -> None:
        if not self.truncated:
            self.truncated = True
            self.note(f"output cut off: more than {self.limit:,} bytes")

    def _add(self, output: dict[str, Any], size: int) -> bool:
        if self._clear_first:
            self._clear()
        if self.size + size > self.limit or len(self.items) >= MAX_OUTPUTS:
            self._truncate()
            return False
        self.size += size
        self.items.append(output)
        return True

    def _clear(self) -> None:
        self.items.clear()
        self._displays.clear()
        self.size, self._errors = 0, 0
        self.truncated = self._clear_first = False

    def _stream(self, content: dict[str, Any]) -> None:
        name, text = content.get("name"), content.get("text")
        if name not in ("stdout", "stderr") or not isinstance(text, str) or not text:
            return
        if self._clear_first:
            self._clear()
        kept = text[: max(self.limit - self.size, 0)]
        last = self.items[-1] if self.items else None
        if last and last["output_type"] == "stream" and last["name"] == name:
            last["text"].append(kept)
            self.size += len(kept) + 16  # a million messages of one letter are not small
        elif not self._add({"output_type": "stream", "name": name, "text": [kept]}, len(kept)):
            return
        if len(kept) < len(text):
            self._truncate()

    def _bundle(self, content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], int]:
        data, metadata = content.get("data"), content.get("metadata")
        kept: dict[str, Any] = {}
        for mime, value in data.items() if isinstance(data, dict) else ():
            if len(mime) > MAX_NAME or not _MIME.fullmatch(mime):
                continue
            if _JSON_MIME.fullmatch(mime):  # of nbformat's schema: all others hold text
                kept[mime] = _finite(value)
            elif isinstance(value, str):
                kept[mime] = value
            elif isinstance(value, list) and all(isinstance(line, str) for line in value):
                kept[mime] = "".join(value)
        if not isinstance(metadata, dict) or len(json.dumps(metadata)) > MAX_METADATA:
            metadata = {}
        return kept, _finite(metadata), len(json.dumps(kept)) + 100

    def _display(self, content: dict[str, Any], **more: Any) -> None:
        data, metadata, size = self._bundle(content)
        if not data:
            return
        output = {"output_type": "display_data", "data": data, "metadata": metadata, **more}
        transient = content.get("transient")
        name = transient.get("display_id") if isinstance(transient, dict) else None
        if self._add(output, size) and isinstance(name, str) and len(name) <= MAX_NAME:
            self._displays.setdefault(name, []).append(output)

    def _result(self, content: dict[str, Any]) -> None:
        self._display(content, output_type="execute_result", execution_count=count(content))

    def _update(self, content: dict[str, Any]) -> None:
        transient = content.get("transient")
        name = transient.get("display_id") if isinstance(transient, dict) else None
        if not isinstance(name, str) or name not in self._displays:
            return
        data, metadata, size = self._bundle(content)
        self.size += size  # never given back: a loop of updates is not free
        if self.size > self.limit:
            self._truncate()
            return
        for output in self._displays[name]:
            output["data"], output["metadata"] = data, metadata

    def _error(self, content: dict[str, Any]) -> None:
        if self._clear_first:
            self._clear()
        self._errors += 1
        if self._errors > 3:
            return
        name, value, lines = (content.get(key) for key in ("ename", "evalue", "traceback"))
        name = clip(name, 200) if isinstance(name, str) else "Error"
        value = clip(value, MAX_TRACEBACK) if isinstance(value, str) else ""
        lines = lines if isinstance(lines, list) else []
        text = "\n".join(line for line in lines if isinstance(line, str))
        self.items.append(error_output(name, value, clip(text, MAX_TRACEBACK).split("\n")))

    def _wipe(self, content: dict[str, Any]) -> None:
        if content.get("wait"):
            self._clear_first = True
        else:
            self._clear()


_HANDLERS = {
    "stream": Outputs._stream,
    "display_data": Outputs._display,
    "execute_result": Outputs._result,
    "update_display_data": Outputs._update,
    "error": Outputs._error,
    "clear_output": Outputs._wipe,
}


def count(content: dict[str, Any]) -> int | None:
    """The execution count of a message, if it is one."""
    value = content.get("execution_count")
    return value if type(value) is int and 0 <= value < 1 << 31 else None
