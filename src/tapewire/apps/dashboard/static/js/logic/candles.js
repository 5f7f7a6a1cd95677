// Candle events as the chart wants them: seconds, in order, each window once.

/** All windows of a map (start in seconds → event) in order: [{ time, open, high, low, close, volume }]. */
export function bars(candles, shiftMs = 0) {
  return [...candles.keys()]
    .sort((a, b) => a - b)
    .map((start) => bar(start, candles.get(start), shiftMs))
    .filter((one) => one !== null);
}

/** One window; null if the exchange left out a price. The chart has no zones: its time is moved to the zone's wall clock. */
export function bar(start, event, shiftMs = 0) {
  const [open, high, low, close] = [event.opening_price, event.high_price, event.low_price, event.trade_price];
  if ([open, high, low, close].some((price) => price == null)) return null;
  return { time: start + shiftMs / 1000, open, high, low, close, volume: event.candle_acc_trade_volume ?? 0 };
}
