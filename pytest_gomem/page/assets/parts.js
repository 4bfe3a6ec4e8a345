// The parts of a window, each from its data to an element; null where there is nothing to show.

const section = (id, title, ...children) => h("section", { class: "card", id: `part-${id}`, "aria-label": title }, h("h3", {}, title), ...children);
const mono = (text) => h("code", {}, text);

function failurePart(view) {
  if (!view.answers && !view.uncompared) return null;
  const rows = (view.answers || []).map(([label, text, isCommand]) => [
    h("dt", { class: label === "FAIL" ? "bad" : label === "warn" ? "warn" : null }, label),
    h("dd", {}, isCommand ? command(text) : text),
  ]);
  if (view.uncompared) rows.push([h("dt", {}, "note"), h("dd", {}, `not compared: ${view.uncompared}`)]);
  return h("section", { class: `card failure ${view.headline ? "is-bad" : "is-warn"}`, "aria-label": "What broke" }, h("dl", { class: "answers" }, rows));
}

function command(text) {
  const button = h("button", { type: "button", class: "plain copy", click: async () => {
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { getSelection().selectAllChildren(code); button.textContent = "Selected"; }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } }, "Copy");
  const code = mono(text);
  return h("span", { class: "command" }, code, button);
}

const URGENT = { fail: 0, unavailable: 0, warn: 1, noisy: 2 };
const urgentFirst = (verdicts) => [...verdicts].sort((one, other) => (URGENT[one.status] ?? 3) - (URGENT[other.status] ?? 3));

// Rows on how each verdict came about, shown by a switch: few readers want them, and then all.
function withDetails(rows, columns) {
  const more = [];
  const all = rows.flatMap(([row, one]) => {
    const texts = [one.reason, ...one.details].filter(Boolean);
    const below = texts.length ? h("tr", { class: "more", hidden: true }, h("td", { colspan: columns }, h("ul", {}, texts.map((text) => h("li", {}, text))))) : null;
    if (below) more.push(below);
    return below ? [row, below] : [row];
  });
  const box = h("input", { type: "checkbox", change: () => { for (const row of more) row.hidden = !box.checked; } });
  return [all, more.length > 0 && h("label", { class: "check" }, box, "how each was judged")];
}

const rowClass = (one) => (TONES[one.status] === "bad" ? "bad-row" : null);
const named = (one) => h("td", { class: "first" }, h("strong", {}, one.name), one.phase && h("span", { class: "quiet" }, ` in ${one.phase}`));
const verdictOf = (one, word) => h("td", {}, pill(one.status, one.standing === "accepted" || one.standing === "muted" ? one.standing : word));

function limitsPart(view) {
  const limits = urgentFirst((view.verdicts || []).filter((one) => one.base === undefined));
  if (!limits.length) return null;
  const [rows, box] = withDetails(limits.map((one) => [h("tr", { class: rowClass(one) }, named(one),
    h("td", { class: "number", "data-head": "measured" }, one.value || "–"), h("td", { class: "number", "data-head": "limit" }, one.limit),
    h("td", {}, h("span", { class: "room" }, usedBar(one), h("span", {}, one.standing))), verdictOf(one),
    h("td", { class: "quiet small" }, one.declared)), one]), 6);
  return section("limits", "Limits", table(["metric", ">measured", ">limit", "headroom", "verdict", "declared at"], rows, "limits"), box);
}

function comparedPart(view) {
  const compared = urgentFirst((view.verdicts || []).filter((one) => one.base !== undefined));
  if (!compared.length) return null;
  const [rows, box] = withDetails(compared.map((one) => [h("tr", { class: rowClass(one) }, named(one),
    h("td", { class: "number", "data-head": "base" }, one.base), h("td", { class: "number", "data-head": "now" }, one.now), h("td", { class: "number", "data-head": "change" }, one.change),
    h("td", { class: "number quiet", "data-head": "95% interval" }, one.interval), verdictOf(one, one.word), h("td", { class: "quiet small", "data-head": "allowed" }, one.limit.replace("regression ", "")),
    h("td", { class: "quiet small" }, one.declared)), one]), 8);
  return section("compared", "Compared with the base", table(["metric", ">base", ">now", ">change", ">95% interval", "verdict", "allowed", "declared at"], rows, "limits"), box);
}

function coursePart(view) {
  if (!view.course) return null;
  const place = h("div");
  const part = section("course", "Course", place);
  part.draw = () => drawCourse(place, view.course);
  return part;
}

function billPart(view) {
  const bill = view.bill;
  if (!bill) return null;
  const widest = Math.max(bill.rss, bill.was || 0);
  const stack = (pick, total, label) => {
    const bar = h("div", { class: "stack", role: "img", "aria-label": `${label}: ${valueText(total, "bytes")}` });
    bill.rows.forEach((row, at) => {
      const part = h("span", { class: `b${at % 10}`, title: `${row.name}: ${valueText(pick(row) || 0, "bytes")}` });
      part.style.width = `${(100 * (pick(row) || 0)) / widest}%`;
      bar.append(part);
    });
    return h("div", { class: "stack-row" }, h("span", { class: "stack-label" }, label), bar, h("span", { class: "number" }, valueText(total, "bytes")));
  };
  const rows = bill.rows.map((row, at) => h("tr", {},
    h("td", { class: "first" }, h("span", { class: `swatch b${at % 10}`, "aria-hidden": "true" }), row.name),
    h("td", { class: "number" }, row.size), h("td", { class: "number" }, percentText(bill.rss ? row.bytes / bill.rss : 0)),
    bill.against ? h("td", { class: "number quiet" }, row.before || "–") : null, h("td", { class: "quiet small hint" }, row.hint)));
  const heads = ["part", ">size", ">share", ...(bill.against ? [`>${bill.against}`] : []), "where to look"];
  return section("bill", "Resident memory", h("p", {}, bill.sentence),
    h("div", { class: "stacks" }, stack((row) => row.bytes, bill.rss, "at the close"),
      bill.against && stack((row) => row.was, bill.was, bill.against)),
    table(heads, rows));
}

function culpritsPart(view) {
  if (!view.culprits) return null;
  const groups = view.culprits.map((group) => h("div", { class: "group" },
    h("h4", {}, group.title),
    group.rows.map((one) => {
      const share = h("span", { class: "share", "aria-hidden": "true" }, h("span", {}));
      share.firstChild.style.width = `${Math.min(one.part, 1) * 100}%`;
      return h("div", { class: "culprit" },
        h("p", { class: "who" }, mono(one.function), h("span", { class: "place" }, one.place), one.between && h("span", { class: "tag" }, "against the base")),
        h("p", { class: "amount" }, share, h("strong", {}, one.amount), h("span", {}, one.share)),
        one.through && h("p", { class: "quiet" }, one.through),
        one.why.length > 0 && h("ul", {}, one.why.map((text) => h("li", {}, text))));
    }),
    h("p", { class: "quiet" }, group.summary)));
  return section("culprits", "Who allocated it", groups);
}

function holdersPart(view) {
  const found = view.holders;
  if (!found) return null;
  return section("holders", `Who holds it${found.of ? ` (${found.of} alone)` : ""}`,
    found.note && h("p", {}, `nobody is named: ${found.note}`),
    found.rows.map((one) => {
      const share = h("span", { class: "share", "aria-hidden": "true" }, h("span", {}));
      share.firstChild.style.width = `${Math.min(Math.max(one.share, 0), 1) * 100}%`;
      return h("div", { class: "culprit" }, h("p", { class: "who" }, mono(one.root)),
        h("p", { class: "amount" }, share, h("strong", {}, one.amount)), h("ul", {}, one.details.map((text) => h("li", {}, text))));
    }),
    found.types && h("p", { class: "quiet" }, found.types));
}

function goroutinesPart(view) {
  const found = view.goroutines;
  if (!found) return null;
  const rows = found.rows.map((one) => h("tr", {}, h("td", { class: "number" }, one.number), h("td", {}, one.state),
    h("td", {}, mono(one.where), one.stack.length > 0 && h("details", {}, h("summary", {}, "stack"), h("ol", { class: "calls" }, one.stack.map((call) => h("li", {}, mono(call))))))));
  return section("goroutines", found.leaked ? "Goroutines that leaked" : "Goroutines", table([">number", "state", "where"], rows),
    found.more > 0 && h("p", { class: "quiet" }, `${plural(found.more, "more group")}`));
}

function growthPart(view) {
  if (!view.growths) return null;
  const places = view.growths.map((growth) => {
    const place = h("div", { class: "growth" }, h("h4", {}, growthTitle(growth)));
    return [place, growth];
  });
  const part = section("growth", "Growth", h("div", { class: "growths" }, places.map(([place]) => place)));
  part.draw = () => {
    const ends = places.map(([place, growth]) => drawGrowth(place, growth));
    return () => ends.forEach((end) => end());
  };
  return part;
}

const SVG = "http://www.w3.org/2000/svg";
function roundsPart(view) {
  if (!view.rounds) return null;
  const rows = view.rounds.map((one) => {
    const values = [...one.head, ...one.base];
    const least = Math.min(...values), reach = Math.max(...values) - least || 1;
    const line = document.createElementNS(SVG, "svg");
    line.setAttribute("viewBox", "0 0 300 26");
    line.setAttribute("class", "dots");
    line.setAttribute("role", "img");
    line.setAttribute("aria-label", `${one.name}: now ${one.texts.join(", ")}${one.base.length ? `; base ${one.base_texts.join(", ")}` : ""}`);
    const draw = (value, y, kind, text) => {
      const dot = document.createElementNS(SVG, "circle");
      const title = document.createElementNS(SVG, "title");
      for (const [name, set] of Object.entries({ cx: 8 + (284 * (value - least)) / reach, cy: y, r: 4.5, class: kind })) dot.setAttribute(name, set);
      title.textContent = text;
      dot.append(title);
      line.append(dot);
    };
    one.base.forEach((value, at) => draw(value, 18, "base", `base, round ${at + 1}: ${one.base_texts[at]}`));
    one.head.forEach((value, at) => draw(value, one.base.length ? 8 : 13, "head", `round ${at + 1}: ${one.texts[at]}`));
    return h("tr", {}, h("td", {}, one.name), h("td", { class: "number quiet" }, one.least), h("td", {}, line), h("td", { class: "quiet" }, one.most));
  });
  const isCompared = view.rounds.some((one) => one.base.length);
  return section("rounds", "Rounds", h("p", { class: "quiet" }, isCompared ? h("span", {}, h("span", { class: "dot head" }), " now, above; ", h("span", { class: "dot base" }), " the base, below. Each dot is a round.") : "Each dot is a round."),
    table(null, rows, "rounds"));
}

function metricsTable(metrics, words) {
  return table(["metric", ">value", "read from", "to know"], metrics.map(([name, value, source, note]) => h("tr", { class: value ? null : "unmeasured" },
    h("td", {}, words[name]), h("td", { class: "number" }, value || "–"), h("td", { class: "quiet small" }, words[source]), h("td", { class: "quiet small" }, words[note]))));
}

function metricsPart(view, words) {
  if (!view.metrics) return null;
  return section("metrics", "Metrics", h("details", { open: view.metrics.length <= 12 }, h("summary", {}, `${plural(view.metrics.length, "metric")}, each with its source`), metricsTable(view.metrics, words)),
    (view.phases || []).filter((phase) => phase.metrics.length).map((phase) => h("details", {}, h("summary", {}, `phase ${phase.name}${phase.ops === null ? "" : `, ${plural(phase.ops, "op")}`}`), metricsTable(phase.metrics, words))),
    view.sizes && h("p", {}, view.sizes),
    (view.loads || []).map((text) => h("p", {}, `load: ${text}`)));
}

function flamesPart(view) {
  if (!view.flames) return null;
  const names = Object.keys(view.flames);
  const place = h("div", { class: "flame" });
  const part = section("flames", "Flame graphs");
  const show = (name) => { place.replaceChildren(); drawFlame(place, view.flames[name], name); };
  if (names.length > 1) part.append(tabs("Flame graph", names.map((name) => [name, flameTitles[name] || name]), names[0], show));
  part.append(place);
  part.draw = () => { show(names[0]); return () => {}; };
  return part;
}

function conditionsPart(view) {
  const gc = (view.gc || []).map(([name, asked, found]) => h("tr", {}, h("td", {}, name), h("td", {}, asked || "–"), h("td", {}, found || "–")));
  const facts = (view.conditions || []).map(([name, value]) => h("tr", {}, h("td", {}, name), h("td", { colspan: 2 }, value)));
  if (!gc.length && !facts.length && !view.modules) return null;
  return section("conditions", "Conditions",
    view.modules && h("div", {}, h("h4", {}, "Modules with another version"), h("ul", {}, view.modules.map((text) => h("li", {}, text)))),
    h("details", {}, h("summary", {}, "GC settings, the build, and what must be the same to compare"),
      gc.length > 0 && table(["GC setting", "requested", "effective"], gc), facts.length > 0 && table(["condition", "value"], facts)));
}

function notesPart(view) {
  return view.notes ? section("notes", "Notes", h("ul", {}, view.notes.map((text) => h("li", {}, text)))) : null;
}

function logPart(view) {
  return view.log ? section("log", "End of the log", h("pre", { tabindex: "0", role: "group", "aria-label": "End of the log" }, view.log)) : null;
}

function artifactsPart(view) {
  if (!view.artifacts) return null;
  return section("artifacts", "Kept files", h("ul", {}, view.artifacts.map(([name, path, link]) => h("li", {},
    h("span", { class: "quiet" }, `${name.replaceAll("_", " ")}: `), link ? h("a", { href: link }, path) : mono(path)))));
}
