// What every page loads: it brings the map when it comes near, and the console where there is one.

const script = document.currentScript;

/** Brings a file that lies beside this one. */
const beside = (name) => new URL(name, script.src).href;

function styled() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = beside(STYLE);
  const loaded = new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => reject(new Error(`cannot load ${link.href}`)));
  });
  document.head.append(link);
  return loaded;
}

/** Starts a part of the page; the page stays as it was if that fails. */
async function bring(place, name) {
  try {
    const [part] = await Promise.all([import(beside(name)), styled()]);
    await part.start(place, beside);
  } catch (error) {
    place.dataset.script = "failed";
    console.error(error);
  }
}

/** Calls once when a place is nearly seen, is used by keyboard, or is what the address asks for. */
function near(place, call) {
  let called = false;
  const once = () => {
    if (called) return;
    called = true;
    observer.disconnect();
    call();
  };
  const observer = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && once(), {
    rootMargin: "300px 0px",
  });
  observer.observe(place);
  place.addEventListener("focusin", once);
  if (location.hash.startsWith("#map")) once();
  else addEventListener("hashchange", () => location.hash.startsWith("#map") && once());
}

// A page that was opened from a disk may fetch nothing: it stays as it is.
if (location.protocol !== "file:") {
  const map = document.querySelector("[data-map]");
  if (map) near(map, () => bring(map, MAP));
  const place = document.querySelector("[data-console]");
  if (place) bring(place, CONSOLE);
}

// The other language shows the same view or query.
for (const link of document.querySelectorAll(".top a[hreflang]")) {
  link.addEventListener("click", () => {
    link.hash = location.hash;
  });
}
