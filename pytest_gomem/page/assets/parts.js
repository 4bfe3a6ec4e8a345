// The parts of a window, each from its data to an element; null where there is nothing to show.

const section = (id, title, ...children) =>
  h("section", { class: "card", id: `part-${id}`, "aria-label": title }, h("h3", {}, title), ...children);
const mono = (text) => h("code", {}, text);

function coursePart(view) {
  if (!view.course) return null;
  const place = h("div");
  const part = section("course", "Course", place);
  part.draw = () => drawCourse(place, view.course);
  return part;
}

function billPart(view) {
  const bill = view.bill;
  const limit = view.limit ? h("p", { class: "memory-limit" }, view.limit) : null;
  if (!bill) return limit && section("bill", "Resident memory", limit);
  const widest = Math.max(bill.rss, bill.was || 0);
  const stack = (pick, total, label) => {
    const bar = h("div", { class: "stack", role: "img", "aria-label": `${label}: ${valueText(total, "bytes")}` });
    bill.rows.forEach((row, at) => {
      const part = h("span", { class: `b${at % 10}`, title: `${row.name}: ${valueText(pick(row) || 0, "bytes")}` });
      part.style.width = `${(100 * (pick(row) || 0)) / widest}%`;
      bar.append(part);
    });
    return h(
      "div",
      { class: "stack-row" },
      h("span", { class: "stack-label" }, label),
      bar,
      h("span", { class: "number" }, valueText(total, "bytes")),
    );
  };
  const rows = bill.rows.map((row, at) =>
    h(
      "tr",
      {},
      h("td", { class: "first" }, h("span", { class: `swatch b${at % 10}`, "aria-hidden": "true" }), row.name),
      h("td", { class: "number" }, row.size),
      h("td", { class: "number" }, percentText(bill.rss ? row.bytes / bill.rss : 0)),
      bill.against ? h("td", { class: "number quiet" }, row.before || "–") : null,
      h("td", { class: "quiet small hint" }, row.hint),
    ),
  );
  const heads = ["part", ">size", ">share", ...(bill.against ? [`>${bill.against}`] : []), "where to look"];
  return section(
    "bill",
    "Resident memory",
    limit,
    h("p", {}, bill.sentence),
    h(
      "div",
      { class: "stacks" },
      stack((row) => row.bytes, bill.rss, "at the close"),
      bill.against && stack((row) => row.was, bill.was, bill.against),
    ),
    table(heads, rows),
  );
}

const SVG = "http://www.w3.org/2000/svg";
function roundsPart(view) {
  if (!view.rounds) return null;
  const rows = view.rounds.map((one) => {
    const values = [...one.head, ...one.base];
    const least = Math.min(...values),
      reach = Math.max(...values) - least || 1;
    const line = document.createElementNS(SVG, "svg");
    line.setAttribute("viewBox", "0 0 300 26");
    line.setAttribute("class", "dots");
    line.setAttribute("role", "img");
    line.setAttribute(
      "aria-label",
      `${one.name}: now ${one.texts.join(", ")}${one.base.length ? `; base ${one.base_texts.join(", ")}` : ""}`,
    );
    const draw = (value, y, kind, text) => {
      const dot = document.createElementNS(SVG, "circle");
      const title = document.createElementNS(SVG, "title");
      for (const [name, set] of Object.entries({ cx: 8 + (284 * (value - least)) / reach, cy: y, r: 4.5, class: kind }))
        dot.setAttribute(name, set);
      title.textContent = text;
      dot.append(title);
      line.append(dot);
    };
    one.base.forEach((value, at) => draw(value, 18, "base", `base, round ${at + 1}: ${one.base_texts[at]}`));
    one.head.forEach((value, at) => draw(value, one.base.length ? 8 : 13, "head", `round ${at + 1}: ${one.texts[at]}`));
    return h(
      "tr",
      {},
      h("td", {}, one.name),
      h("td", { class: "number quiet" }, one.least),
      h("td", {}, line),
      h("td", { class: "quiet" }, one.most),
    );
  });
  const isCompared = view.rounds.some((one) => one.base.length);
  return section(
    "rounds",
    "Rounds",
    h(
      "p",
      { class: "quiet" },
      isCompared
        ? h(
            "span",
            {},
            h("span", { class: "dot head" }),
            " now, above; ",
            h("span", { class: "dot base" }),
            " the base, below. Each dot is a round.",
          )
        : "Each dot is a round.",
    ),
    table(null, rows, "rounds"),
  );
}

function metricsTable(metrics, words) {
  return table(
    ["metric", ">value", "read from", "to know"],
    metrics.map(([name, value, source, note]) =>
      h(
        "tr",
        { class: value ? null : "unmeasured" },
        h("td", {}, words[name]),
        h("td", { class: "number" }, value || "–"),
        h("td", { class: "quiet small" }, words[source]),
        h("td", { class: "quiet small" }, words[note]),
      ),
    ),
  );
}

function metricsPart(view, words) {
  if (!view.metrics) return null;
  return section(
    "metrics",
    "Metrics",
    h(
      "details",
      { open: view.metrics.length <= 12 },
      h("summary", {}, `${plural(view.metrics.length, "metric")}, each with its source`),
      metricsTable(view.metrics, words),
    ),
    (view.phases || [])
      .filter((phase) => phase.metrics.length)
      .map((phase) =>
        h(
          "details",
          {},
          h("summary", {}, `phase ${phase.name}${phase.ops === null ? "" : `, ${plural(phase.ops, "op")}`}`),
          metricsTable(phase.metrics, words),
        ),
      ),
    histogramDetails(view),
    view.sizes && h("p", {}, view.sizes),
    (view.loads || []).map((text) => h("p", {}, `load: ${text}`)),
  );
}

function conditionsPart(view) {
  const gc = (view.gc || []).map(([name, asked, found]) =>
    h("tr", {}, h("td", {}, name), h("td", {}, asked || "–"), h("td", {}, found || "–")),
  );
  const facts = (view.conditions || []).map(([name, value]) =>
    h("tr", {}, h("td", {}, name), h("td", { colspan: 2 }, value)),
  );
  if (!gc.length && !facts.length && !view.modules) return null;
  return section(
    "conditions",
    "Conditions",
    view.modules &&
      h(
        "div",
        {},
        h("h4", {}, "Modules with another version"),
        h(
          "ul",
          {},
          view.modules.map((text) => h("li", {}, text)),
        ),
      ),
    h(
      "details",
      {},
      h("summary", {}, "GC settings, the build, and what must be the same to compare"),
      gc.length > 0 && table(["GC setting", "requested", "effective"], gc),
      facts.length > 0 && table(["condition", "value"], facts),
    ),
  );
}

function notesPart(view) {
  return view.notes
    ? section(
        "notes",
        "Notes",
        h(
          "ul",
          {},
          view.notes.map((text) => h("li", {}, text)),
        ),
      )
    : null;
}

function logPart(view) {
  return view.log
    ? section(
        "log",
        "End of the log",
        h("pre", { tabindex: "0", role: "group", "aria-label": "End of the log" }, view.log),
      )
    : null;
}

function artifactsPart(view) {
  if (!view.artifacts) return null;
  return section(
    "artifacts",
    "Kept files",
    h(
      "ul",
      {},
      view.artifacts.map(([name, path, link]) =>
        h(
          "li",
          {},
          h("span", { class: "quiet" }, `${name.replaceAll("_", " ")}: `),
          link ? h("a", { href: link }, path) : mono(path),
        ),
      ),
    ),
  );
}
