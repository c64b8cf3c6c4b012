"""Chats, through apprise: it knows each service's format and limits.

The hook addresses of Slack, Discord, Teams and Google Chat are recognised by apprise as they are, as are its own forms
(`mmost://…`, `mailto://…`). Any other http(s) address is taken for a Slack-compatible hook (Mattermost, Rocket.Chat, Zulip and
many more speak it) and gets `{"text": …}` by apprise's JSON plugin, since its Slack plugin knows Slack's own host only.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from modelyard_contracts import decode
from notifier.domain.deliveries import Attempt, Refused, Result, Sent
from notifier.domain.messages import Message, compose

_LOGGER: Final = logging.getLogger("apprise")
_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""What Slack's text escapes (docs.slack.dev, formatting message text)."""


class Chat:
    """Sends messages for people. apprise is synchronous: each attempt runs in a thread."""

    def __init__(self, *, timeout_s: float, public_url: str, in_flight: int) -> None:
        self._timeout_s = timeout_s
        self._public_url = public_url
        self._threads = ThreadPoolExecutor(
            in_flight, thread_name_prefix="chat"
        )  # as many as attempts: none waits for another
        # What apprise says becomes the delivery's detail; it is kept out of the log, for some of it holds addresses.
        _LOGGER.propagate = False
        _LOGGER.addHandler(logging.NullHandler())

    def close(self) -> None:
        """Take no more messages; those under way end by their own time limits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, attempt: Attempt) -> Result:
        """One attempt, bounded in time as a whole."""
        message = compose(decode(attempt.envelope), self._public_url)
        try:
            async with asyncio.timeout(2 * self._timeout_s):  # apprise bounds connecting and reading, each by itself
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, self._send, attempt.subscription.url, message)
        except TimeoutError:
            return Refused(f"the chat did not take it within {2 * self._timeout_s:g} s")

    def _send(self, url: str, message: Message) -> Result:
        import apprise

        asset = apprise.AppriseAsset(app_id="Modelyard", http_redirects=False, secure_logging=True, async_mode=False)
        target = apprise.Apprise.instantiate(url, asset=asset)
        slack_like = target is None and urlsplit(url).scheme in {"http", "https"}
        if slack_like:
            target = apprise.Apprise.instantiate(_slack_compatible(url), asset=asset)
        if target is None:
            return Refused("apprise does not understand the address; its documentation has the form for each chat")
        target.socket_connect_timeout = target.socket_read_timeout = self._timeout_s
        heard = _Heard()
        _LOGGER.addHandler(heard)
        try:
            sent = target.notify(
                body=slack_text(message) if slack_like else plain_text(message),
                title=None if slack_like else message.title,
                body_format=apprise.NotifyFormat.TEXT,
            )
        finally:
            _LOGGER.removeHandler(heard)
        return Sent() if sent else Refused(heard.said or "the chat did not take it")


class _Heard(logging.Handler):
    """What apprise says while this thread is sending: its calls answer only yes or no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = get_ident()
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and not self.said:
            self.said = record.getMessage()[:500]


def _slack_compatible(url: str) -> str:
    """apprise's address for posting `{"text": body}` there: fields of its JSON are renamed or, when given no name, left out."""
    parts = urlsplit(url)
    scheme = "jsons" if parts.scheme == "https" else "json"
    fields = {":message": "text", ":title": "", ":version": "", ":attachments": "", ":type": ""}
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    own = "&".join(f"-{pair}" for pair in parts.query.split("&") if pair)
    return urlunsplit((scheme, parts.netloc, parts.path, f"{query}&{own}" if own else query, ""))


def slack_text(message: Message) -> str:
    """Slack's own marks: the title and the facts' names are bold."""
    lines = [f"*{message.title.translate(_ENTITIES)}*"]
    lines += [f"• *{name.translate(_ENTITIES)}*: {value.translate(_ENTITIES)}" for name, value in message.facts]
    return "\n".join([*lines, message.link] if message.link else lines)


def plain_text(message: Message) -> str:
    """The facts and the link, without any marks; the title is sent apart."""
    lines = [f"{name}: {value}" for name, value in message.facts]
    return "\n".join([*lines, message.link] if message.link else lines)
