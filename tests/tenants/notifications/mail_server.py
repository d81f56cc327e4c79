"""A small mail server on loopback, with or without encryption and login, and with mishaps."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "yard@mail.example", "p@ss/w:rd-Secret9"


@dataclass(frozen=True)
class Certificate:
    """A certificate for loopback, in a file with its key."""

    file: Path

    def serving(self) -> ssl.SSLContext:
        """What a server needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context

    def trusting(self) -> ssl.SSLContext:
        """What a client needs who trusts it."""
        return ssl.create_default_context(cafile=str(self.file))


def certificate(file: Path, host: str = "127.0.0.1") -> Certificate:
    """A new one that signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, raw = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(pem, raw, serialization.NoEncryption())
    file.write_bytes(secret + made.public_bytes(pem))
    return Certificate(file)


@dataclass
class Mail:
    """A message that was taken, and how it came."""

    sender: str
    to: list[str]
    content: bytes
    private: bool
    user: str | None


@dataclass
class MailServer:
    """`replies` take the place of the usual ones, by command (`GREETING`, `BODY` too).

    `offers` are what EHLO tells; `implicit`: everything is encrypted from the beginning. It falls
    silent at the commands in `silent_at`, and sets `silenced` then.
    """

    certificate: Certificate | None = None
    implicit: bool = False
    login: bool = False
    replies: dict[str, str] = field(default_factory=dict)
    silent_at: set[str] = field(default_factory=set)
    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    silenced: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def where(self) -> str:
        """The address, without a login."""
        return f"{'smtps' if self.implicit else 'smtp'}://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["MailServer"]:
        """Listen until the end of the block."""
        tls = self.certificate.serving() if self.certificate and self.implicit else None
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = _Visit(self, reader, writer)
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            await visit.run()
        self.ended.set()
        writer.transport.abort()


class _Visit:
    def __init__(
        self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.private, self.user = server.implicit, None if server.login else ""
        self.mail = self._blank()

    def _blank(self) -> Mail:
        return Mail("", [], b"", self.private, self.user)

    async def run(self) -> None:
        await self.reply("GREETING", "220 mail.example ready")
        while line := (await self.reader.readline()).decode().strip():
            command = line.split()[0].upper()
            self.server.commands.append(command)
            handler = getattr(self, f"on_{command.lower()}", None)
            if handler is None:
                await self.reply(command, "502 what?")
            else:
                await handler(line)
            if command == "QUIT":
                return

    async def reply(self, command: str, usual: str) -> bool:
        """Answer; whether it was a good answer."""
        if command in self.server.silent_at:
            self.server.silenced.set()
            await self.reader.read()
            raise ConnectionResetError
        text = self.server.replies.get(command, usual)
        self.writer.write(text.encode() + b"\r\n")
        await self.writer.drain()
        return text < "4"

    async def on_ehlo(self, _: str) -> None:
        offers = ["mail.example"]
        if self.server.certificate and not self.private:
            offers.append("STARTTLS")
        if self.server.login:
            offers.append("AUTH PLAIN")
        lines = [f"250{'-' if o != offers[-1] else ' '}{o}" for o in offers]
        await self.reply("EHLO", "\r\n".join(lines))

    async def on_starttls(self, _: str) -> None:
        assert self.server.certificate is not None
        if await self.reply("STARTTLS", "220 go on"):
            await self.writer.start_tls(self.server.certificate.serving())
            self.private = True

    async def on_auth(self, line: str) -> None:
        _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
        good = (user, password) == (USER, PASSWORD)
        if await self.reply("AUTH", "235 welcome" if good else f"535 {user}:{password} is wrong"):
            self.user = user

    async def on_mail(self, line: str) -> None:
        self.mail = self._blank()
        self.mail.sender = line.partition(":")[2].split()[0].strip("<>")
        usual = "250 ok" if self.user is not None else "530 log in first"
        await self.reply("MAIL", usual)

    async def on_rcpt(self, line: str) -> None:
        self.mail.to.append(line.partition(":")[2].strip("<> "))
        await self.reply("RCPT", "250 ok")

    async def on_data(self, _: str) -> None:
        if not await self.reply("DATA", "354 go on"):
            return
        content = await self.reader.readuntil(b"\r\n.\r\n")
        self.mail.content = content[:-3].replace(b"\r\n..", b"\r\n.")
        if "BODY" not in self.server.replies:
            self.server.mails.append(self.mail)
        await self.reply("BODY", "250 taken")

    async def on_rset(self, _: str) -> None:
        await self.reply("RSET", "250 ok")

    async def on_quit(self, _: str) -> None:
        await self.reply("QUIT", "221 bye")
