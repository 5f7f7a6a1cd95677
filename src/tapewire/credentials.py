"""Keys and the texts made with them: shown by no repr, no format, no pickle."""

from __future__ import annotations

from typing import Any, Literal, NoReturn

from msgspec import Struct
from msgspec.structs import force_setattr

from tapewire.errors import ConfigError


class Secret:
    """Text that is shown nowhere: ``repr``, ``str`` and formats give ``***``; only ``reveal`` gives it away.

    It cannot be pickled or copied into JSON: a secret that leaves the process should do so by its owner's own hand.
    """

    __slots__ = ("_text",)

    def __init__(self, text: Any) -> None:
        if not isinstance(text, str) or not text:
            raise ConfigError("secret", "***", "a text that is not empty")
        self._text = text

    def reveal(self) -> str:
        """The text itself: for signing and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")


class HiddenText(str):
    """A text that must be sent as it is, such as a signed header, but is shown by no ``repr`` and no cut-out."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, _where: Any) -> str:
        return "***"


class HiddenBytes(bytes):
    """As ``HiddenText``: a message that shows a key. Recordings leave it out."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"


class Credentials(Struct, frozen=True):
    """An API key of a venue: ``access_key`` names it, ``secret_key`` signs; plain text is wrapped as ``Secret``.

    Attributes:
        access_key, secret_key: as the exchange issued them (``UPBIT_ACCESS_KEY``, ``UPBIT_SECRET_KEY``).
        passphrase: the third part of the key, where the venue has one (OKX).
        algorithm: how tokens are signed, ``"HS512"`` or ``"HS256"`` (spec/upbit.md section 2); only for Upbit.
    """

    access_key: Secret
    secret_key: Secret
    passphrase: Secret | None = None
    algorithm: Literal["HS512", "HS256"] = "HS512"

    def __post_init__(self) -> None:
        for name in ("access_key", "secret_key", "passphrase"):
            value = getattr(self, name)
            if isinstance(value, str):
                force_setattr(self, name, Secret(value.strip()))
            elif not (isinstance(value, Secret) or (value is None and name == "passphrase")):
                raise ConfigError(name, type(value).__name__, "the text that the exchange issued")
        if self.algorithm not in ("HS512", "HS256"):
            raise ConfigError("algorithm", self.algorithm, '"HS512" or "HS256"')
