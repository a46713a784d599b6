// The part of the page's address that holds the view, the filters and the open place:
// #map?view=6/46.5/2.5&hide=tiers_lieux&region=Bretagne&is.reseaux=ptce&text=lyon&open=structures:3f2a

const START = "#map?";

/** What an address asks for. What it says wrong is left out. */
export function read(hash) {
  const asked = new URLSearchParams(hash.startsWith(START) ? hash.slice(START.length) : "");
  const [zoom, latitude, longitude] = (asked.get("view") ?? "").split("/").map(Number);
  const seen = [zoom, latitude, longitude].every(Number.isFinite) && asked.has("view");
  const hidden = (asked.get("hide") ?? "").split(",").filter(Boolean);
  const answers = [...asked].filter(([key, value]) => key.startsWith("is.") && value);
  return {
    view: seen ? { zoom, latitude, longitude } : null,
    choice: {
      hidden: new Set(hidden),
      region: asked.get("region") ?? "",
      answers: new Map(answers.map(([key, value]) => [key.slice(3), value])),
      text: asked.get("text") ?? "",
    },
    open: asked.get("open") || null,
  };
}

/** The address of what is shown. */
export function written({ view, choice, open }) {
  const said = [];
  const say = (key, value) => said.push(`${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
  if (view) {
    const round = (number) => Number(number.toFixed(4));
    said.push(`view=${round(view.zoom)}/${round(view.latitude)}/${round(view.longitude)}`);
  }
  if (choice.hidden.size > 0) say("hide", [...choice.hidden].sort().join(","));
  if (choice.region) say("region", choice.region);
  for (const [column, code] of choice.answers) say(`is.${column}`, code);
  if (choice.text) say("text", choice.text);
  if (open) say("open", open);
  return START + said.join("&");
}
