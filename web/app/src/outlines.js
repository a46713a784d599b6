// Outlines as whole numbers: a tenth of the bytes, and nothing lost of the four decimals that the seeds have.

/** Units per degree. */
const SCALE = 10_000;

/** A ring as its first corner and the steps to each next. */
function pack(ring) {
  const flat = [];
  let [lastX, lastY] = [0, 0];
  for (const [longitude, latitude] of ring) {
    const [x, y] = [Math.round(longitude * SCALE), Math.round(latitude * SCALE)];
    flat.push(x - lastX, y - lastY);
    [lastX, lastY] = [x, y];
  }
  return flat;
}

/** The corners of a packed ring, latitude first as Leaflet has them. */
function unpack(flat) {
  const ring = [];
  let [x, y] = [0, 0];
  for (let at = 0; at < flat.length; at += 2) {
    x += flat[at];
    y += flat[at + 1];
    ring.push([y / SCALE, x / SCALE]);
  }
  return ring;
}

/** All rings of a GeoJSON of polygons, by feature. */
function rings(collection) {
  return collection.features.map(({ geometry }) => {
    const polygons = geometry.type === "MultiPolygon" ? geometry.coordinates : [geometry.coordinates];
    return polygons.flat().map(pack);
  });
}

/** The file that the map reads. */
export function packed(departements, regions) {
  return JSON.stringify({ departements: rings(departements), regions: rings(regions) });
}

/** What that file holds: for each feature its rings. */
export function unpacked(file) {
  const open = (features) => features.map((feature) => feature.map(unpack));
  return { departements: open(file.departements), regions: open(file.regions) };
}
