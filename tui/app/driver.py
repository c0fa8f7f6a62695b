"""What the terminal sends, made safe: any bytes become events, at the pace at which the app deals with them.

Textual's own input thread ends at the first byte that is not UTF-8 and at some escape sequences, and hands on every
character as it comes, however far the app is behind.
"""

from __future__ import annotations

import codecs
import concurrent.futures
import os
import re
import selectors
import time
from collections.abc import Iterable, Iterator

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from textual.message_pump import MessagePump

from tui.app.textual_privates import (
    OwnInput,
    ParseError,
    XTermParser,
    app_of,
    call_in_app,
    post_from_thread,
    waiting,
)

CHUNK_BYTES = 1024
POLL_S = 0.1
"""How long a read waits, so that a lone Escape and the start of a broken character are dealt with."""
MOST_WAITING = 256
"""Events that may wait to be dealt with before more is read: the terminal holds the rest."""
PASTE_LENGTH = 200
"""Text that comes in one go and is this long was pasted: nobody types it, and no program means a key by each letter."""
PASTE_GAP_S = 0.05
PASTE_LOST_S = 2.0
"""A bracketed paste that stops for so long has lost its end; until it came, every key would be part of it."""
LARGEST_SCREEN = (4096, 2048)
"""Columns and rows that a terminal may report: a screen is held in memory cell by cell."""
ESCAPE, PASTE_START, PASTE_END = "\x1b", "\x1b[200~", "\x1b[201~"
_PARTS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[^\x1b]*|[^\x1b]+")
_UNFINISHED = re.compile(r"\x1b(\[[0-?]*[ -/]*)?")
_SEQUENCE_END = re.compile(r"\[?[0-?]*[ -/]*[@-~]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class Decoder:
    """Bytes from a terminal as text. What is not UTF-8 is taken as Latin-1: an old terminal's é is an é."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")(_LENIENT)

    @property
    def waits(self) -> bool:
        """Whether the start of a character has come without its end."""
        return bool(self._utf8.getstate()[0])

    def text(self, data: bytes, final: bool = False) -> str:
        """What the bytes say; the start of a character is kept for the next ones unless they are final."""
        return self._utf8.decode(data, final)


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    """The bytes at fault as Latin-1, without what would be a control character there."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    text = error.object[error.start : error.end].decode("latin-1")
    return "".join(char for char in text if char.isprintable() or char == "\xa0"), error.end


_LENIENT = "sizeup-latin-1"
codecs.register_error(_LENIENT, _as_latin_1)


class Input:
    """Bytes in, events out; whatever the bytes are, the next key is understood."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._parser = XTermParser()
        self._sequence = ""  # what has come since the last Escape, up to the length that tells a bracketed paste
        self._bracketed = False
        self._pasted_at = -1.0
        self._came_at = 0.0

    def feed(self, data: bytes, now: float) -> Iterator[Message]:
        """The events of some bytes. now: a monotonic time in seconds."""
        self._came_at = now
        yield from self._events(self._decoder.text(data), now)

    def pause(self, now: float) -> Iterator[Message]:
        """The events that were waiting for more, when no more came."""
        if self._decoder.waits:
            yield from self._events(self._decoder.text(b"", final=True), now)
        if self._bracketed and now - self._came_at > PASTE_LOST_S:
            yield from self._events(PASTE_END, now)
        yield from self._guarded(self._parser.tick())
        self._sequence = ""

    def _events(self, text: str, now: float) -> Iterator[Message]:
        if self._sequence and text[:1] != ESCAPE:  # the rest of a sequence that came in two reads
            end = _SEQUENCE_END.match(text)
            rest = end.group() if end is not None else text
            self._noted(self._sequence + rest)
            yield from self._guarded(self._parser.feed(rest))
            text = text[len(rest) :]
        # Each sequence is parsed by itself, so that a broken one costs no other.
        for part in _PARTS.findall(text):
            if self._is_paste(part, now):
                self._pasted_at = now
                yield events.Paste(part.replace("\x00", ""))
            else:
                self._noted(part)
                yield from self._guarded(self._parser.feed(part))

    def _noted(self, part: str) -> None:
        """Note the start of a sequence whose end has not come, and where a bracketed paste starts and ends."""
        if part in (PASTE_START, PASTE_END):
            self._bracketed = part == PASTE_START
        self._sequence = part if _UNFINISHED.fullmatch(part) else ""

    def _is_paste(self, text: str, now: float) -> bool:
        """Whether text that no brackets tell of is pasted: long, or the rest of what has just been."""
        if self._bracketed or text[0] == ESCAPE:
            return False
        if len(text) >= PASTE_LENGTH:
            return 4 * len(_CONTROLS.findall(text)) <= len(text)
        return now - self._pasted_at <= PASTE_GAP_S and self._pasted_at >= 0

    def _guarded(self, found: Iterable[Message]) -> Iterator[Message]:
        """The events, as far as the parser understands what came; after an error a new one goes on."""
        try:
            for event in found:
                if not _impossible(event):
                    yield event
        except (ParseError, ValueError, ArithmeticError, RuntimeError):  # it ends at codes that are no character
            self._parser, self._bracketed = XTermParser(), False


def _impossible(event: Message) -> bool:
    """Whether an event tells of a screen that no terminal has."""
    if not isinstance(event, events.Resize):
        return False
    width, height = event.size
    return not (0 < width <= LARGEST_SCREEN[0] and 0 < height <= LARGEST_SCREEN[1])


class SizeupDriver(OwnInput, LinuxDriver):
    """Textual's driver with an input thread that nothing ends but the end of the terminal."""

    _sent: concurrent.futures.Future[bool] | None = None

    def run_input_thread(self) -> None:
        """Read, parse and hand on, until the app leaves or the terminal goes away."""
        source = Input()
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(POLL_S):
                    try:
                        data = os.read(self.fileno, CHUNK_BYTES)
                    except OSError:
                        data = b""
                    if not data:
                        self._gone()
                        return
                    found = source.feed(data, time.monotonic())
                else:
                    found = source.pause(time.monotonic())
                for event in found:
                    self.process_message(event)
                while self._behind() and not self.exit_event.wait(0.01):
                    pass

    def send_message(self, message: Message) -> None:
        """Hand a message to the app, and remember whether it has arrived."""
        self._sent = post_from_thread(self, message)

    def _behind(self) -> bool:
        """Whether the app still has much to deal with: what was sent has not arrived, or waits in a long queue."""
        if self._sent is not None and not self._sent.done():
            return True
        app = app_of(self)
        pumps: list[MessagePump] = [app]
        for screen in app.screen_stack[-1:]:
            pumps += [screen, screen.focused or screen]
        return any(waiting(pump) > MOST_WAITING for pump in pumps)

    def _gone(self) -> None:
        """The terminal is closed: leave as on a hang-up."""
        hang_up = getattr(app_of(self), "cut_off", None)
        if hang_up is not None:
            call_in_app(self, hang_up)
