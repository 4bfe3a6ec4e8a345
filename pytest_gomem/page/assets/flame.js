// Draws one call tree of a record (`windows[].flames[...]` of a JSON report) as a flame graph, callers above what they
// call. Names are only ever set as text.

const flameTitles = {
  live: "Live bytes", live_objects: "Live objects", peak: "The peak", allocated: "Allocated bytes",
  allocated_objects: "Allocated objects", holders: "Who holds it",
};
const flameSteps = [
  "less than half", "10% to 50% less", "1% to 10% less", "within 1%", "1% to 11% more", "11% to 100% more",
  "more than doubled, or new",
];

function drawFlame(element, record, title) {
  const ROW = 22, NARROWEST = 1, READABLE = 30, GLYPH = 7, MOST_GONE = 4;
  const count = record.value.length, compared = record.before.length > 0;
  const isHeld = title === "holders";
  const children = record.parent.map(() => []);
  const depth = record.parent.map(() => 0);
  record.parent.forEach((parent, node) => {
    if (parent < 0) return;
    children[parent].push(node);
    depth[node] = depth[parent] + 1;
  });
  const sumOf = (column, node) => children[node].reduce((sum, child) => sum + column[child], 0);
  const grown = record.value.map(() => 0);
  for (let node = count - 1; compared && node >= 0; node--) {
    const itself = record.value[node] - sumOf(record.value, node) - record.before[node] + sumOf(record.before, node);
    grown[node] = Math.max(itself, 0) + sumOf(grown, node);
  }

  let widths, places, drawnAt = 0, zoomed = 0, focused = 0, matches = null, drawn = new Map();

  const name = (node) => (node ? record.functions[record.function[node]] : "all");
  const whose = (node) => (node ? record.whose[record.function[node]] : -1);
  const changed = (node) => record.value[node] - record.before[node];

  function place(node) {
    const at = node ? record.file[record.function[node]] : -1;
    if (at < 0) return "";
    return record.line[node] ? `${record.files[at]}:${record.line[node]}` : record.files[at];
  }

  function value(number, signed) {
    const sign = number < 0 ? "-" : signed && number > 0 ? "+" : "", size = Math.abs(number);
    if (record.unit !== "bytes" && size < 1e4) return sign + size;
    const steps = record.unit === "bytes" ? [" B", " kB", " MB", " GB", " TB"] : ["", "k", "M", "G"];
    let at = 0;
    while (at < steps.length - 1 && size >= 999.5 * 1000 ** at) at++;
    const part = size / 1000 ** at;
    const digits = part === 0 || (at === 0 && Number.isInteger(part)) ? 0 : part >= 99.95 ? 0 : part >= 9.995 ? 1 : 2;
    return `${sign}${part.toFixed(digits)}${steps[at]}`;
  }

  function share(number) {
    const points = record.value[0] ? Math.abs(number / record.value[0]) * 100 : NaN;
    if (Number.isNaN(points)) return "-";
    return points > 0 && points < 0.05 ? "<0.1%" : `${points >= 9.95 ? points.toFixed(0) : Number(points.toFixed(1))}%`;
  }

  function step(node) {
    const size = Math.max(record.before[node], record.value[node]);
    const ratio = size ? Math.abs(changed(node)) / size : 0;
    const far = [0.01, 0.1, 0.5].filter((limit) => ratio > limit).length;
    return changed(node) > 0 ? 3 + far : 3 - far;
  }

  function sentence(node) {
    const file = place(node);
    const now = `${name(node)}${file ? ` (${file})` : ""}: ${value(record.value[node])}, ${share(record.value[node])}`;
    if (!compared) return now;
    return `${now}; ${value(record.before[node])} ${record.against}, change ${value(changed(node), true)}`;
  }

  function short(node) {
    const [plain, ...rest] = name(node).split("[");
    if (isHeld || !plain) return name(node);
    return plain.replace(/^.*\/(?!v\d+\.)/, "") + (rest.length ? `[...]${rest.join("[").replace(/^.*\]/, "")}` : "");
  }

  function label(node, width) {
    const cells = (width - 10) / GLYPH, text = short(node);
    const amount = compared && changed(node) ? value(changed(node), true) : value(record.value[node]);
    if (text.length + amount.length + 2 <= cells) return `${text}  ${amount}`;
    return text.length <= cells || isHeld ? text : text.slice(text.lastIndexOf(".") + 1);
  }

  function made(tag, className, text) {
    const one = document.createElement(tag);
    if (className) one.className = className;
    if (text !== undefined) one.textContent = text;
    return one;
  }

  const head = made("p", "flame-head");
  const bar = made("div", "flame-bar");
  const choice = made("fieldset", "flame-choice");
  const search = made("input", "flame-search");
  const found = made("output", "flame-found");
  const reset = made("button", "flame-reset", "Show all");
  const legend = made("ul", "flame-legend");
  const about = made("p", "flame-about");
  const chart = made("div", "flame-chart");
  const notes = made("div", "flame-notes");

  function choose(key) {
    widths = key === "grown" ? grown : record.value;
    places = record.value.map(() => 0);
    for (let node = 0; node < count; node++) {
      let left = places[node];
      children[node].sort((one, other) => widths[other] - widths[one] || (name(one) < name(other) ? -1 : 1));
      for (const child of children[node]) {
        places[child] = left;
        left += widths[child];
      }
    }
    if (!widths[zoomed]) zoomed = 0;
    focused = zoomed;
    draw();
    tell(zoomed);
  }

  function draw() {
    const room = chart.clientWidth, pieces = document.createDocumentFragment();
    const above = new Set();
    for (let node = record.parent[zoomed]; node >= 0; node = record.parent[node]) above.add(node);
    const from = places[zoomed], width = widths[zoomed];
    let deepest = 0;
    drawnAt = room;
    drawn = new Map();
    const waiting = width ? [0] : [];
    while (waiting.length) {
      const node = waiting.pop(), isAbove = above.has(node);
      const x = isAbove ? 0 : (places[node] - from) / width * room, w = isAbove ? room : widths[node] / width * room;
      if (w < NARROWEST) continue;
      pieces.append(box(node, x, w, isAbove));
      deepest = Math.max(deepest, depth[node]);
      const below = isAbove ? children[node].filter((child) => above.has(child) || child === zoomed) : children[node];
      waiting.push(...[...below].reverse());
    }
    chart.style.height = `${(deepest + 1) * ROW}px`;
    chart.replaceChildren(pieces);
    chart.classList.toggle("flame-searching", matches !== null);
    if (!drawn.has(focused)) focused = zoomed;
    drawn.get(focused)?.setAttribute("tabindex", "0");
    reset.disabled = zoomed === 0;
  }

  function box(node, x, w, isAbove) {
    const fill = !node ? "flame-root" : compared ? `flame-c${step(node)}` : `flame-k${whose(node)}`;
    const one = made("div", `flame-box ${fill}`);
    one.classList.toggle("flame-own", node > 0 && !isHeld && whose(node) === 0);
    one.classList.toggle("flame-above", isAbove);
    one.classList.toggle("flame-thin", w < READABLE);
    one.classList.toggle("flame-match", matches !== null && matches.has(node));
    one.style.left = `${x}px`;
    one.style.width = `${w}px`;
    one.style.top = `${depth[node] * ROW}px`;
    if (w >= READABLE) one.textContent = label(node, w);
    one.setAttribute("role", "treeitem");
    one.setAttribute("aria-level", depth[node] + 1);
    one.setAttribute("aria-label", sentence(node));
    one.setAttribute("aria-selected", String(node === zoomed));
    one.tabIndex = -1;
    one.node = node;
    drawn.set(node, one);
    return one;
  }

  function zoom(node) {
    const hadFocus = chart.contains(document.activeElement);
    zoomed = focused = node;
    draw();
    tell(node);
    if (hadFocus) focusOn(node);
  }

  function focusOn(node) {
    const target = drawn.get(node);
    if (!target) return;
    drawn.get(focused)?.setAttribute("tabindex", "-1");
    focused = node;
    target.setAttribute("tabindex", "0");
    target.focus();
    tell(node);
  }

  function tell(node) {
    const file = place(node), parts = [made("strong", "", name(node))];
    if (file) parts.push(made("span", "flame-file", file));
    const whole = isHeld ? "with all it keeps" : "with all it calls";
    const now = `${value(record.value[node])} ${whole}, ${share(record.value[node])} of all`;
    const then = compared ? `; ${value(record.before[node])} ${record.against}: ${value(changed(node), true)}` : "";
    parts.push(made("span", "", now + then));
    about.replaceChildren(...parts.flatMap((part) => [part, " "]));
  }

  function beside(node, by) {
    const row = [...drawn.keys()].filter((other) => depth[other] === depth[node]);
    row.sort((one, other) => places[one] - places[other]);
    return row[row.indexOf(node) + by];
  }

  function find() {
    const asked = search.value.trim();
    matches = null;
    found.textContent = "";
    if (asked) {
      let pattern;
      try {
        pattern = new RegExp(asked, "iu");
      } catch {
        pattern = new RegExp(asked.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "iu");
      }
      const under = new Set();
      let sum = 0;
      matches = new Set();
      for (let node = 1; node < count; node++) {
        const parent = record.parent[node];
        if (under.has(parent) || matches.has(parent)) under.add(node);
        if (!pattern.test(name(node)) && !pattern.test(place(node))) continue;
        matches.add(node);
        if (!under.has(node)) sum += record.value[node];
      }
      const frames = matches.size === 1 ? "1 frame matches" : `${matches.size} frames match`;
      found.textContent = matches.size ? `${frames}: ${value(sum)}, ${share(sum)} of all` : "no frame matches";
    }
    for (const [node, one] of drawn) one.classList.toggle("flame-match", matches !== null && matches.has(node));
    chart.classList.toggle("flame-searching", matches !== null);
  }

  function nextMatch(by) {
    const shown = [...drawn.keys()].filter((node) => matches?.has(node));
    if (shown.length) focusOn(shown[(shown.indexOf(focused) + by + shown.length) % shown.length]);
  }

  function gone(node) {
    return compared && record.before[node] > 0 && !record.value[node];
  }

  function tellNotes() {
    const outermost = record.value.map((_, node) => node).filter((node) => gone(node) && !gone(record.parent[node]));
    outermost.sort((one, other) => record.before[other] - record.before[one]);
    if (outermost.length && outermost[0]) {
      const sum = outermost.reduce((whole, node) => whole + record.before[node], 0);
      const rows = outermost.slice(0, MOST_GONE).map((node) => `${value(record.before[node])} ${name(node)}`);
      const more = outermost.length > MOST_GONE ? [`and ${outermost.length - MOST_GONE} more`] : [];
      notes.append(made("p", "", `Gone, and so not drawn: ${value(sum)}. ${[...rows, ...more].join("; ")}.`));
    }
    const dropped = record.dropped === 1 ? "1 smaller frame is left out." : `${record.dropped} smaller frames are left out.`;
    notes.append(made("p", "", [...record.notes, ...(record.dropped ? [dropped] : [])].join(" ")));
    const keys = "Arrow keys move, Enter zooms, Escape zooms out, Home goes to the top, / searches, n and N go to matches.";
    notes.append(made("p", "flame-keys", keys));
  }

  function tellHead() {
    const totals = compared
      ? `${value(record.before[0])} ${record.against}, ${value(record.value[0])} now: ${value(changed(0), true)}`
      : `${value(record.value[0])} in all`;
    head.replaceChildren(made("strong", "", record.shows), `, ${totals}`);
    const fills = compared ? flameSteps.map((text, at) => [`flame-c${at}`, text])
      : record.legend.map((text, at) => [`flame-k${at}`, text]);
    if (compared && !isHeld) fills.push(["flame-own", record.legend[0]]);
    legend.setAttribute("aria-label", "Legend");
    legend.replaceChildren(...fills.map(([fill, text]) => {
      const item = made("li");
      item.append(made("span", `flame-square ${fill}`), text);
      return item;
    }));
  }

  function offer() {
    const ways = [["grown", "What grew"], ["value", "All there is"]];
    choice.append(made("legend", "flame-unseen", "Width of a frame"));
    for (const [key, text] of ways) {
      const way = made("label"), input = made("input");
      input.type = "radio";
      input.name = `flame-${Math.random().toString(36).slice(2)}`;
      input.checked = key === (grown[0] ? "grown" : "value");
      input.addEventListener("change", () => choose(key));
      way.append(input, made("span", "", text));
      choice.append(way);
    }
    const [first, second] = choice.querySelectorAll("input");
    second.name = first.name;
    return grown[0] ? "grown" : "value";
  }

  search.type = "search";
  search.placeholder = "Search";
  search.setAttribute("aria-label", "Search frames by a regular expression");
  search.autocomplete = "off";
  search.spellcheck = false;
  found.setAttribute("role", "status");
  reset.type = "button";
  chart.setAttribute("role", "tree");
  chart.setAttribute("aria-label", `Flame graph: ${record.shows}`);
  about.setAttribute("aria-hidden", "true");

  const nodeAt = (event) => event.target.closest?.(".flame-box")?.node;
  chart.addEventListener("click", (event) => {
    const node = nodeAt(event);
    if (node !== undefined) zoom(node);
  });
  chart.addEventListener("mouseover", (event) => {
    const node = nodeAt(event);
    if (node !== undefined) tell(node);
  });
  chart.addEventListener("mouseleave", () => tell(focused));
  search.addEventListener("input", find);
  reset.addEventListener("click", () => zoom(0));

  const KEYS = {
    ArrowUp: () => focusOn(record.parent[focused]),
    ArrowDown: () => focusOn(children[focused].find((child) => drawn.has(child))),
    ArrowLeft: () => focusOn(beside(focused, -1)),
    ArrowRight: () => focusOn(beside(focused, 1)),
    Home: () => focusOn(0),
    Enter: () => zoom(focused),
    " ": () => zoom(focused),
    Escape: () => zoom(Math.max(record.parent[zoomed], 0)),
    "/": () => search.focus(),
    n: () => nextMatch(1),
    N: () => nextMatch(-1),
  };
  chart.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
    if (event.key !== "Escape") return;
    search.value = "";
    find();
  });

  const first = compared ? offer() : "value";
  if (compared) bar.append(choice);
  bar.append(search, found, reset);
  element.classList.add("flame");
  element.replaceChildren(head, bar, legend, about, chart, notes);
  tellHead();
  tellNotes();
  choose(first);
  new ResizeObserver(() => requestAnimationFrame(() => {
    if (chart.clientWidth === drawnAt) return; // its height alone has changed, as by a zoom
    const hadFocus = chart.contains(document.activeElement);
    draw();
    if (hadFocus) focusOn(focused);
  })).observe(element);
}
