// Candles and volume on TradingView's Lightweight Charts.

import { CandlestickSeries, createChart, HistogramSeries } from "../vendor/lightweight-charts-5.2.1/lightweight-charts.standalone.production.mjs";
import { colour } from "./dom.js";
import { price } from "./logic/format.js";

const VOLUME_PART = 0.2;

export class Chart {
  /** place: the element it fills; language: for its months. */
  constructor(place, language) {
    this.language = language;
    const [text, line, up, down] = ["--dim", "--line", "--up", "--down"].map(colour);
    this.volumeColours = [colour("--up-soft"), colour("--down-soft")];
    this.chart = createChart(place, {
      autoSize: true,
      layout: { attributionLogo: false, background: { color: "transparent" }, textColor: text, fontFamily: getComputedStyle(place).fontFamily },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line, timeVisible: true, secondsVisible: false, rightOffset: 4 },
      localization: { locale: language === "ko" ? "ko-KR" : "en-US" },
    });
    const candle = { upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false };
    this.candles = this.chart.addSeries(CandlestickSeries, candle);
    this.volumes = this.chart.addSeries(HistogramSeries, { priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
    this.volumes.priceScale().applyOptions({ scaleMargins: { top: 1 - VOLUME_PART, bottom: 0 } });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: VOLUME_PART + 0.05 } });
    this.newest = -Infinity;
  }

  /** All of the history, with as many decimals as its prices have. */
  show(bars, decimals) {
    const formatter = (value) => price(value, decimals, this.language);
    this.candles.applyOptions({ priceFormat: { type: "custom", minMove: Number(`1e-${decimals}`), formatter } });
    this.candles.setData(bars);
    this.volumes.setData(bars.map((bar) => this.volume(bar)));
    this.newest = bars.at(-1)?.time ?? -Infinity;
  }

  /** One window, the newest or the next. Answers false for an older one, which needs all of them anew. */
  update(bar) {
    if (bar.time < this.newest) return false;
    this.newest = bar.time;
    this.candles.update(bar);
    this.volumes.update(this.volume(bar));
    return true;
  }

  volume({ time, open, close, volume }) {
    return { time, value: volume, color: this.volumeColours[close >= open ? 0 : 1] };
  }

  remove() {
    this.chart.remove();
  }
}
