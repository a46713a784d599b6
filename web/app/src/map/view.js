// The map itself: outlines, places and clusters on two canvases, without a tile from anywhere.

import {
  Canvas,
  LatLngBounds,
  LayerGroup,
  Map as Leaflet,
  Point,
  Polygon,
  Polyline,
  Tooltip,
} from "leaflet/dist/leaflet-src.esm.js";
import Supercluster from "supercluster";

import { calm, element } from "../dom.js";
import { colours, radius, short, Spot } from "./spots.js";

/** Parts of France that a button leads to: west, south, east, north. */
export const PARTS = {
  Métropole: [-5.3, 41.25, 9.7, 51.2],
  Guadeloupe: [-61.87, 15.78, -60.94, 16.56],
  Martinique: [-61.27, 14.34, -60.77, 14.93],
  Guyane: [-54.7, 2.0, -51.5, 5.95],
  "La Réunion": [55.16, -21.44, 55.9, -20.82],
  Mayotte: [44.98, -13.05, 45.36, -12.6],
};
const CLOSEST = 14;
/** How far a button or an arrow moves the map, in pixels. */
const STEP = 120;

const bounds = ([west, south, east, north]) => new LatLngBounds([south, west], [north, east]);

/** Told through `events`: `moved`, `place` (one was chosen), `spot` (places that no zoom parts were chosen). */
export class View {
  constructor(container, places, events) {
    Object.assign(this, { container, places, events });
    const touch = matchMedia("(pointer: coarse)").matches;
    this.map = new Leaflet(container, {
      attributionControl: false,
      zoomControl: false,
      // The wheel and a single finger belong to the page.
      scrollWheelZoom: false,
      dragging: !touch,
      keyboardPanDelta: STEP,
      minZoom: 2,
      maxZoom: CLOSEST,
      zoomSnap: 0.25,
      zoomDelta: 1,
      fadeAnimation: false,
      zoomAnimation: !calm(),
      inertia: !calm(),
      worldCopyJump: false,
    });
    this.map.createPane("land").style.zIndex = 300;
    this.land = new LayerGroup([], { pane: "land" }).addTo(this.map);
    this.spots = new LayerGroup().addTo(this.map);
    this.landCanvas = new Canvas({ padding: 0.4, pane: "land" });
    this.spotCanvas = new Canvas({ padding: 0.4, tolerance: touch ? 8 : 3 });
    this.clusters = new Supercluster({
      radius: 44,
      maxZoom: CLOSEST,
      map: ({ kinds }) => ({ kinds }),
      reduce: (all, { kinds }) => {
        all.kinds |= kinds;
      },
    });
    this.left = [];
    this.open = undefined;
    this.colours = colours();
    this.clusters.load([]);
    this.listen();
  }

  listen() {
    this.map.on("moveend", () => {
      this.draw();
      this.events.moved();
    });
    this.container.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const steps = Math.max(-1, Math.min(1, -event.deltaY / 60));
        this.map.setZoomAround(this.map.mouseEventToLatLng(event), this.map.getZoom() + steps, { animate: false });
      },
      { passive: false },
    );
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", () => this.recolour());
    }
    new ResizeObserver(() => this.map.invalidateSize({ animate: false, pan: false })).observe(this.container);
  }

  /** Takes the outlines: rings by feature. */
  outline({ departements, regions }) {
    this.outlines = { departements, regions };
    this.recolour();
  }

  recolour() {
    this.colours = colours();
    const common = { renderer: this.landCanvas, interactive: false, smoothFactor: 0.5 };
    const { land, border, region } = this.colours;
    const { departements = [], regions = [] } = this.outlines ?? {};
    this.land.clearLayers();
    for (const rings of departements) {
      const style = { ...common, color: border, weight: 1, fillColor: land, fillOpacity: 1 };
      this.land.addLayer(new Polygon(rings.map((ring) => [ring]), style));
    }
    for (const rings of regions) {
      this.land.addLayer(new Polyline(rings, { ...common, color: region, weight: 1.3, fill: false }));
    }
    this.draw();
  }

  /** Shows these places and no others. */
  show(left) {
    this.left = left;
    this.clusters.load(left.map((place) => this.places.point(place)));
    this.draw();
  }

  /** Draws what can be seen, and a little around it. */
  draw() {
    if (!this.map._loaded) return;
    const seen = this.map.getBounds().pad(0.3);
    const box = [seen.getWest(), seen.getSouth(), seen.getEast(), seen.getNorth()];
    this.spots.clearLayers();
    for (const feature of this.clusters.getClusters(box, Math.floor(this.map.getZoom()))) {
      this.spots.addLayer(this.spot(feature));
    }
    this.ring();
  }

  spot({ geometry, properties, id }) {
    const [longitude, latitude] = geometry.coordinates;
    const count = properties.point_count ?? 1;
    const { kinds, cluster, paper } = this.colours;
    // The first kind, and whether it is the only one.
    const kind = 31 - Math.clz32(properties.kinds);
    const single = properties.kinds === 1 << kind;
    const spot = new Spot([latitude, longitude], {
      renderer: this.spotCanvas,
      radius: radius(count),
      square: single && kind % 2 === 1,
      fillColor: single ? kinds[kind % kinds.length] : cluster,
      color: paper,
      weight: 2,
      label: count > 1 ? short(count) : "",
      bubblingMouseEvents: false,
    });
    if (count === 1) {
      const { place } = properties;
      spot.on("click", () => this.events.place(place));
      spot.on("mouseover", () => this.hint([latitude, longitude], this.places.name(place)));
      spot.on("mouseout", () => this.hint());
    } else {
      spot.on("click", () => this.enter(id, [latitude, longitude]));
    }
    return spot;
  }

  /** Zooms until a cluster parts; where it never does, its places are told. */
  enter(id, at) {
    const zoom = this.clusters.getClusterExpansionZoom(id);
    if (zoom <= CLOSEST && zoom > this.map.getZoom()) {
      this.map.setView(at, zoom, { animate: !calm() });
    } else {
      this.events.spot(this.clusters.getLeaves(id, Infinity).map(({ properties }) => properties.place));
    }
  }

  /** The name of a place beside it, while the mouse is there. */
  hint(at, name) {
    this.tip?.remove();
    if (!name) return;
    const look = { direction: "top", offset: new Point(0, -8), opacity: 1 };
    this.tip = new Tooltip(look).setLatLng(at).setContent(element("span", { text: name })).addTo(this.map);
  }

  /** Draws the open place above all others, also where it is part of a cluster. */
  ring() {
    this.mark?.remove();
    this.mark = undefined;
    if (this.open === undefined) return;
    const { kinds, paper, chosen } = this.colours;
    const kind = this.places.kind[this.open];
    const common = { renderer: this.spotCanvas, interactive: false };
    const around = new Spot(this.at(this.open), { ...common, radius: 13, fillColor: paper, color: chosen, weight: 3 });
    const look = { radius: 7, square: kind % 2 === 1, fillColor: kinds[kind % kinds.length], color: paper, weight: 2 };
    this.mark = new LayerGroup([around, new Spot(this.at(this.open), { ...common, ...look })]).addTo(this.map);
  }

  /** Marks a place as the open one, and brings it into view. */
  choose(place) {
    this.open = place;
    if (place !== undefined && !this.map.getBounds().contains(this.at(place))) {
      this.map.panTo(this.at(place), { animate: false });
    }
    this.ring();
  }

  at(place) {
    return [this.places.latitude[place], this.places.longitude[place]];
  }

  /** Goes close to a place. */
  closer(place) {
    this.map.setView(this.at(place), Math.max(this.map.getZoom(), 11), { animate: !calm() });
  }

  /** Goes to a part of France. */
  part(name) {
    this.map.fitBounds(bounds(PARTS[name]), { animate: false });
  }

  /** Goes where these places are. */
  fit(left) {
    if (left.length === 0) return;
    const box = new LatLngBounds(left.map((place) => this.at(place)));
    this.map.fitBounds(box.pad(0.05), { animate: false, maxZoom: 11 });
  }

  /** Goes to a view of an address. */
  set({ zoom, latitude, longitude }) {
    this.map.setView([latitude, longitude], zoom, { animate: false });
  }

  /** The view for an address. */
  get() {
    const { lat: latitude, lng: longitude } = this.map.getCenter();
    return { zoom: this.map.getZoom(), latitude, longitude };
  }

  pan(x, y) {
    this.map.panBy([x * STEP, y * STEP], { animate: !calm() });
  }

  zoom(steps) {
    this.map.setZoom(this.map.getZoom() + steps, { animate: !calm() });
  }

  /** The places that can be seen. */
  visible() {
    const box = this.map.getBounds();
    const [west, south, east, north] = [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()];
    const { longitude, latitude } = this.places;
    return this.left.filter(
      (place) =>
        longitude[place] >= west && longitude[place] <= east && latitude[place] >= south && latitude[place] <= north,
    );
  }
}
