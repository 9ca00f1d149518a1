"""A real mail server on 127.0.0.1, which wants a login and keeps what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.ports import free_port

PASSWORD = "mail-token"


class LoopbackMail:
    """The server's mailbox. received: the mails that it took, oldest first."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.received: list[Message] = []

    def url(self, password: str = PASSWORD) -> str:
        """Return the URL for notices.urls."""
        return f"mailto://amy:{password}@127.0.0.1:{self.port}/?from=amy@example.com&to=bob@example.com"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.received.append(message_from_bytes(envelope.content))
        return "250 OK"


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=is_right, handled=False)


@contextmanager
def loopback_mail() -> Iterator[LoopbackMail]:
    """Yield a mail server that runs."""
    mail = LoopbackMail(free_port())
    controller = Controller(mail, hostname="127.0.0.1", port=mail.port, authenticator=_authenticate, auth_require_tls=False)
    controller.start()
    try:
        yield mail
    finally:
        controller.stop()
