// Elements without markup in texts: what is published stays text.

/**
 * Makes an element. `class`, `text` and `on` are special, `true` is an attribute without value, and `false`, `null` and
 * `undefined` are none.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "text") made.textContent = value;
    else if (key === "on") Object.entries(value).forEach(([event, heard]) => made.addEventListener(event, heard));
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A button that sends nothing. */
export function button(text, heard, attributes = {}) {
  return element("button", { type: "button", text, on: { click: heard }, ...attributes });
}

/** Whether the person asked for little movement. */
export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Calls once, a while after the last of many calls. */
export function settled(wait, call) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...given), wait);
  };
}

/** Whole numbers with their thousands apart, as the language of the page does. */
export function numbers(language) {
  const format = new Intl.NumberFormat(language === "fr" ? "fr-FR" : "en-GB");
  return (number) => format.format(number);
}
