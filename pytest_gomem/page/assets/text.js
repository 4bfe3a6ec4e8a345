// Elements and texts. Whatever comes from the data becomes text, never markup.

const by = (id) => document.getElementById(id);

// An element: h("td", {class: "number"}, "12", child). Functions become listeners; null and false are left out.
function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false && child !== "") element.append(child);
  }
  return element;
}

const BYTES = [
  [1e12, " TB"],
  [1e9, " GB"],
  [1e6, " MB"],
  [1e3, " kB"],
  [1, " B"],
];
const COUNTS = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
  [1, ""],
];

const scaleOf = (size, unit) => {
  const scales = unit === "bytes" ? BYTES : COUNTS;
  return scales.find(([factor]) => size >= factor * 0.9995) || scales[scales.length - 1];
};

// Three digits, as everywhere in the reports: 1.80 GB, 12.
function valueText(value, unit) {
  const size = Math.abs(value);
  if (unit !== "bytes" && size < 1e4) return Number.isInteger(value) ? String(value) : value.toPrecision(3);
  const [factor, suffix] = scaleOf(size, unit);
  const number = value / factor;
  const digits = Math.abs(number) >= 99.95 ? 0 : Math.abs(number) >= 9.995 ? 1 : 2;
  return (value === 0 ? "0" : number.toFixed(digits)) + suffix;
}

// The ticks of an axis with one prefix and no more digits than they need.
function tickTexts(ticks, unit) {
  const [factor, suffix] = scaleOf(Math.max(...ticks.map(Math.abs)), unit);
  return ticks.map((tick) => (tick === 0 ? "0" : `${Number((tick / factor).toPrecision(4))}${suffix}`));
}

const secondsText = (seconds) => `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
const percentText = (ratio) =>
  ratio > 0 && ratio < 0.001 ? "<0.1%" : `${Number((ratio * 100).toPrecision(ratio < 0.1 ? 2 : 3))}%`;
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// Adds up the differences that data holds: [5, 1, -2] with step 10 is [50, 60, 40].
function unpacked(differences, step) {
  let sum = 0;
  return differences.map((difference) => (sum += difference) * step);
}

// A test's id in two parts: where it is, and what it is called.
function partsOf(id) {
  const at = id.indexOf("::");
  const bracket = id.indexOf("[");
  if (at < 0 || (bracket >= 0 && bracket < at)) return ["", id];
  return [id.slice(0, at), id.slice(at + 2)];
}

// A name that may be broken after its separators, before it is broken anywhere.
const breakable = (name) => name.split(/(?<=[[\-_.:/])/).flatMap((part, at) => (at ? [h("wbr"), part] : [part]));

const STATUS_WORDS = {
  failed: "failed",
  warned: "warned",
  noisy: "noisy",
  passed: "passed",
  skipped: "skipped",
  fail: "broken",
  unavailable: "unmeasured",
  warn: "warned",
  pass: "kept",
  improved: "better",
  no_baseline: "not compared",
};
const TONES = {
  failed: "bad",
  fail: "bad",
  unavailable: "bad",
  warned: "warn",
  warn: "warn",
  noisy: "noisy",
  passed: "good",
  pass: "good",
  improved: "good",
  skipped: "none",
  no_baseline: "none",
};
const pill = (status, words) =>
  h("span", { class: `pill ${TONES[status] || "none"}` }, words || STATUS_WORDS[status] || status);

// A bar that shows how much of a limit is used; beyond it the bar is full and in the colour of trouble.
function usedBar(limit) {
  const over = limit.used !== null && limit.used > 1;
  const bar = h("span", {
    class: `used ${TONES[limit.status] || "none"} ${over ? "is-over" : ""}`,
    "aria-hidden": "true",
  });
  if (limit.used === null) return bar;
  const fill = h("span", { class: "fill" });
  fill.style.width = over ? `${Math.max(100 / limit.used, 8)}%` : `${Math.max(limit.used * 100, 2)}%`;
  bar.append(fill);
  return bar;
}

const table = (heads, rows, kind = "") =>
  h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { class: kind },
      heads &&
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            heads.map((head) =>
              h("th", { scope: "col", class: head.startsWith(">") ? "number" : null }, head.replace(/^>/, "")),
            ),
          ),
        ),
      h("tbody", {}, rows),
    ),
  );
