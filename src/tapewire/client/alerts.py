"""Alerts: rules on the feed and on prices, told to a callback, the log or a webhook; also from settings tables."""

from __future__ import annotations

from tapewire.client.alert_settings import from_settings, literal_secrets
from tapewire.client.alerted import Alerts, AlertStatistics, ChannelStatistics
from tapewire.client.channels import Callback, Channel, Log, Slack, Telegram, Webhook
from tapewire.hub.alert_rules import (
    BadFrames,
    Down,
    Drops,
    FailingCallback,
    HighLatency,
    Price,
    ReconnectStorm,
    Refusal,
    Rule,
    Silence,
    StaleStream,
    UnfilledGap,
)
from tapewire.hub.notices import Notice

__all__ = [
    "AlertStatistics", "Alerts", "BadFrames", "Callback", "Channel", "ChannelStatistics", "Down", "Drops",
    "FailingCallback", "HighLatency", "Log", "Notice", "Price", "ReconnectStorm", "Refusal", "Rule", "Silence",
    "Slack", "StaleStream", "Telegram", "UnfilledGap", "Webhook", "from_settings", "literal_secrets",
]  # fmt: skip
