"""The exceptions of arrowcdc: a small tree, each with what happened, to which object, and what to do."""


class ArrowCDCError(Exception):
    """Base of all. `kind` is the library's name for it, `sqlstate` the server's (or empty)."""

    def __init__(
        self,
        message: str,
        *,
        kind: str = "internal",
        object: str = "",
        remedy: str = "",
        sqlstate: str = "",
        retryable: bool = False,
    ):
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.object = object
        self.remedy = remedy
        self.sqlstate = sqlstate
        self.retryable = retryable

    def __str__(self) -> str:
        text = f"{self.object}: {self.message}" if self.object else self.message
        if self.sqlstate:
            text += f" (SQLSTATE {self.sqlstate})"
        return f"{text}; {self.remedy}" if self.remedy else text


class OptionError(ArrowCDCError, ValueError):
    """An argument, a pattern, or a call at the wrong time."""


class ConnectionFailedError(ArrowCDCError, ConnectionError):
    """No connection: network, password, TLS."""


class ServerError(ArrowCDCError):
    """The server is not ready: settings, plugin, permissions, replica identity, version."""


class SlotError(ArrowCDCError):
    """The slot or the publication."""


class ReaderUnreadError(ArrowCDCError):
    """A reader is full and nobody reads it."""


# Others (protocol, sink, internal) are the base class itself.
_KINDS: dict[str, type[ArrowCDCError]] = {
    "invalid_option": OptionError,
    "connection": ConnectionFailedError,
    "authentication": ConnectionFailedError,
    "tls": ConnectionFailedError,
    "permission": ServerError,
    "server_setting": ServerError,
    "plugin_missing": ServerError,
    "plugin_not_allowed": ServerError,
    "busy": ServerError,
    "replica_identity": ServerError,
    "unsupported": ServerError,
    "slot_missing": SlotError,
    "slot_active": SlotError,
    "slot_invalidated": SlotError,
    "slot_mismatch": SlotError,
    "publication_missing": SlotError,
    "publication_mismatch": SlotError,
    "position_gap": SlotError,
    "reader_unread": ReaderUnreadError,
}


def make(kind: str, message: str, object: str, remedy: str, sqlstate: str, retryable: bool) -> ArrowCDCError:
    """The library's error as an exception."""
    error = _KINDS.get(kind, ArrowCDCError)
    return error(message, kind=kind, object=object, remedy=remedy, sqlstate=sqlstate, retryable=retryable)
