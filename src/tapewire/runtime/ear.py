"""What one line tells its driver; holds back its loss until the machine knows that it opened."""

from __future__ import annotations

from collections.abc import Callable

from tapewire.model.line import Loss
from tapewire.transport.dispatch import Dispatch, HeadDispatch


class Ear:
    """A ``LineListener``. ``on_message`` is the driver's short road itself, without a step between."""

    __slots__ = ("_loss", "_lost", "_opened", "dispatch", "on_message", "on_pong")

    def __init__(
        self,
        dispatch: Dispatch | HeadDispatch,
        on_pong: Callable[[bytes], None],
        lost: Callable[[Loss], None],
    ) -> None:
        self.dispatch, self.on_message = dispatch, dispatch.on_message()
        self.on_pong, self._lost = on_pong, lost
        self._opened = False
        self._loss: Loss | None = None

    def on_lost(self, loss: Loss) -> None:
        if self._opened:
            self._lost(loss)
        else:
            self._loss = loss

    def opened(self) -> None:
        """The machine was told; a loss that came before is told now."""
        self._opened = True
        if self._loss is not None:
            self._lost(self._loss)
