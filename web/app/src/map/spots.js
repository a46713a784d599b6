// What is drawn on the map's canvas: places, and clusters with their number.

import { CircleMarker } from "leaflet/dist/leaflet-src.esm.js";

/** Colours for the canvas, which no style reaches: those of the page, or the person's own in forced colours. */
export function colours() {
  if (matchMedia("(forced-colors: active)").matches) {
    return {
      kinds: ["LinkText", "CanvasText", "VisitedText", "ButtonText"],
      cluster: "CanvasText",
      paper: "Canvas",
      land: "Canvas",
      border: "GrayText",
      region: "CanvasText",
      chosen: "Highlight",
    };
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return dark
    ? {
        kinds: ["#93c0ff", "#ffb27d", "#7fd6a0", "#d7a6f5"],
        cluster: "#d5dae0",
        paper: "#16181b",
        land: "#2b3036",
        border: "#16181b",
        region: "#8b949e",
        chosen: "#ffffff",
      }
    : {
        kinds: ["#0b4a94", "#a8410a", "#1d6b3a", "#6a2c8f"],
        cluster: "#454d57",
        paper: "#ffffff",
        land: "#e6e9ed",
        border: "#ffffff",
        region: "#79828c",
        chosen: "#000000",
      };
}

/** How wide a cluster is. */
export function radius(count) {
  return count === 1 ? 6 : Math.min(11 + 3.2 * Math.log10(count) * 2, 30);
}

/** A number that fits into a dot. */
export function short(count) {
  if (count < 1000) return String(count);
  return count < 10_000 ? `${Math.floor(count / 100) / 10}k` : `${Math.floor(count / 1000)}k`;
}

/** A place or a cluster. Kinds differ by colour and by shape. */
export const Spot = CircleMarker.extend({
  _updatePath() {
    const { _renderer: renderer, _point: point, options } = this;
    if (!renderer._drawing || this._empty()) return;
    const context = renderer._ctx;
    const size = this._radius;
    context.globalAlpha = 1;
    context.beginPath();
    if (options.square) context.rect(point.x - size, point.y - size, 2 * size, 2 * size);
    else context.arc(point.x, point.y, size, 0, 2 * Math.PI);
    context.fillStyle = options.fillColor;
    context.lineWidth = options.weight;
    context.strokeStyle = options.color;
    context.fill();
    context.stroke();
    if (options.label) {
      context.fillStyle = options.color;
      context.font = '600 12px system-ui, "DejaVu Sans", Arial, sans-serif';
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(options.label, point.x, point.y + 0.5);
    }
  },
});
