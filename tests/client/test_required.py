"""Who wants what, merged: counts, preferences side by side, what is to be sent, and what was."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire import SubscriptionError, SubscriptionManager
from tapewire.client.required import Change, Required
from tapewire.errors import ConfigError, UsageError
from tapewire.model.subscription import StreamPreference, Subscription, Wish
from tapewire.venues.registry import get_venue

BTC, ETH, TRADE = Subscription("ticker", "KRW-BTC"), Subscription("ticker", "KRW-ETH"), Subscription("trade", "KRW-BTC")


def test_the_wishes_of_many_are_merged_and_counted() -> None:
    manager = SubscriptionManager()
    manager.register_component("chart", [BTC, TRADE], "realtime_only")
    manager.register_component("price", BTC, "snapshot_only")
    manager.register_component("bot", [ETH])
    assert manager.components == ("chart", "price", "bot")
    assert manager.get_required_subscriptions() == {
        BTC: Required(Wish(BTC, snapshot=True, realtime=True), ("chart", "price")),
        TRADE: Required(Wish(TRADE, snapshot=False, realtime=True), ("chart",)),
        ETH: Required(Wish(ETH, snapshot=True, realtime=True), ("bot",)),
    }
    assert manager.get_required_subscriptions()[BTC].count == 2


def test_a_change_is_told_until_it_was_sent() -> None:
    manager, told = SubscriptionManager(), list[Change]()
    stop = manager.on_change(told.append)
    assert manager.register_component("one", [BTC, TRADE]) == Change(added=(BTC, TRADE))
    manager.commit()
    assert not manager.pending()
    assert manager.register_component("two", [BTC]) == Change(kept=(BTC, TRADE))
    assert manager.register_component("two", [ETH]) == Change(added=(ETH,), kept=(BTC, TRADE))
    manager.commit()
    assert manager.unregister_component("one", TRADE) == Change(removed=(TRADE,), kept=(BTC, ETH))
    stop()
    stop()
    assert manager.unregister_component("two", [BTC]) == Change(removed=(TRADE,), kept=(BTC, ETH))
    assert manager.unregister_component("two") == Change(removed=(TRADE, ETH), kept=(BTC,))
    assert told == [
        Change(added=(BTC, TRADE)), Change(added=(ETH,), kept=(BTC, TRADE)), Change(removed=(TRADE,), kept=(BTC, ETH)),
    ]  # fmt: skip


def test_a_newcomer_causes_no_flood_of_snapshots_and_the_last_to_leave_drops_everything() -> None:
    manager, venue = SubscriptionManager(), get_venue("upbit")
    manager.register_component("one", BTC)
    manager.commit()
    manager.register_component("two", ETH)
    [payload] = venue.encode(manager.next_request(), "t", "DEFAULT")
    parts = {tuple(part["codes"]): part for part in msgspec.json.decode(payload) if "codes" in part}
    assert parts == {
        ("KRW-BTC",): {"type": "ticker", "codes": ["KRW-BTC"], "is_only_realtime": True},
        ("KRW-ETH",): {"type": "ticker", "codes": ["KRW-ETH"]},
    }
    manager.commit()
    manager.unregister_component("one")
    manager.unregister_component("two")
    assert manager.next_request() == []
    assert manager.pending().removed == (BTC, ETH)


def test_a_preference_that_changes_what_is_asked_is_a_change() -> None:
    manager = SubscriptionManager()
    manager.register_component("one", BTC, "realtime_only")
    manager.commit()
    assert manager.register_component("one", BTC, "both") == Change(changed=(BTC,))
    assert manager.next_request() == [Wish(BTC)]


def test_what_makes_no_sense_is_refused_by_name() -> None:
    manager = SubscriptionManager()
    with pytest.raises(SubscriptionError, match=r"subscription is 'KRW-BTC'; it must be Subscription\("):
        manager.register_component("one", ["KRW-BTC"])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="stream_preference is 'all'; it must be both or snapshot_only"):
        manager.register_component("one", BTC, "all")  # type: ignore[arg-type]
    manager.register_component("two", BTC)
    with pytest.raises(UsageError, match="no component 'one' is registered; these are: two"):
        manager.unregister_component("one")


PREFERENCES: list[StreamPreference] = ["both", "snapshot_only", "realtime_only"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from([BTC, ETH, TRADE]),
            st.sampled_from([None, *PREFERENCES]),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_whatever_comes_and_goes_the_books_are_those_of_a_plain_table(
    story: list[tuple[str, Subscription, StreamPreference | None, bool]],
) -> None:
    manager, table = SubscriptionManager(), dict[tuple[str, Subscription], StreamPreference]()
    sent: set[Subscription] = set()
    for component, subscription, preference, commits in story:
        if preference is not None:
            manager.register_component(component, subscription, preference)
            table[component, subscription] = preference
        elif any(name == component for name, _ in table):
            manager.unregister_component(component, subscription)
            table.pop((component, subscription), None)
        wanted = {one for _, one in table}
        change = manager.pending()
        assert (set(change.added), set(change.removed)) == (wanted - sent, sent - wanted)
        assert {*change.kept, *change.changed} == wanted & sent
        for one, required in manager.get_required_subscriptions().items():
            how = [preference for (_, each), preference in table.items() if each == one]
            assert required.count == len(how)
            assert required.wish.realtime == any(each != "snapshot_only" for each in how)
            assert required.wish.snapshot == any(each != "realtime_only" for each in how)
        if commits:
            manager.commit()
            sent = wanted
