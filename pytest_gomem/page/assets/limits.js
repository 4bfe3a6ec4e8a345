// What broke, and each verdict beside its limit; null where there is nothing to show.

function failurePart(view) {
  if (!view.answers && !view.uncompared) return null;
  const rows = (view.answers || []).map(([label, text, isCommand]) => [
    h("dt", { class: label === "FAIL" ? "bad" : label === "warn" ? "warn" : null }, label),
    h("dd", {}, isCommand ? command(text) : text),
  ]);
  if (view.uncompared) rows.push([h("dt", {}, "note"), h("dd", {}, `not compared: ${view.uncompared}`)]);
  return h(
    "section",
    { class: `card failure ${view.headline ? "is-bad" : "is-warn"}`, "aria-label": "What broke" },
    h("dl", { class: "answers" }, rows),
  );
}

function command(text) {
  const button = h(
    "button",
    {
      type: "button",
      class: "plain copy",
      click: async () => {
        try {
          await navigator.clipboard.writeText(text);
          button.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(code);
          button.textContent = "Selected";
        }
        setTimeout(() => {
          button.textContent = "Copy";
        }, 1500);
      },
    },
    "Copy",
  );
  const code = mono(text);
  return h("span", { class: "command" }, code, button);
}

const URGENT = { fail: 0, unavailable: 0, warn: 1, noisy: 2 };
const urgentFirst = (verdicts) =>
  [...verdicts].sort((one, other) => (URGENT[one.status] ?? 3) - (URGENT[other.status] ?? 3));

// Rows on how each verdict came about, shown by a switch: few readers want them, and then all.
function withDetails(rows, columns) {
  const more = [];
  const all = rows.flatMap(([row, one]) => {
    const texts = [one.reason, ...one.details].filter(Boolean);
    const below = texts.length
      ? h(
          "tr",
          { class: "more", hidden: true },
          h(
            "td",
            { colspan: columns },
            h(
              "ul",
              {},
              texts.map((text) => h("li", {}, text)),
            ),
          ),
        )
      : null;
    if (below) more.push(below);
    return below ? [row, below] : [row];
  });
  const box = h("input", {
    type: "checkbox",
    change: () => {
      for (const row of more) row.hidden = !box.checked;
    },
  });
  return [all, more.length > 0 && h("label", { class: "check" }, box, "how each was judged")];
}

const rowClass = (one) => (TONES[one.status] === "bad" ? "bad-row" : null);
const named = (one) =>
  h(
    "td",
    { class: "first" },
    h("strong", {}, one.name),
    one.phase && h("span", { class: "quiet" }, ` in ${one.phase}`),
  );
const verdictOf = (one, word) =>
  h("td", {}, pill(one.status, one.standing === "accepted" || one.standing === "muted" ? one.standing : word));

function limitsPart(view) {
  const limits = urgentFirst((view.verdicts || []).filter((one) => one.base === undefined));
  if (!limits.length) return null;
  const [rows, box] = withDetails(
    limits.map((one) => [
      h(
        "tr",
        { class: rowClass(one) },
        named(one),
        h("td", { class: "number", "data-head": "measured" }, one.value || "–"),
        h("td", { class: "number", "data-head": "limit" }, one.limit),
        h("td", {}, h("span", { class: "room" }, usedBar(one), h("span", {}, one.standing))),
        verdictOf(one),
        h("td", { class: "quiet small" }, one.declared),
      ),
      one,
    ]),
    6,
  );
  return section(
    "limits",
    "Limits",
    table(["metric", ">measured", ">limit", "headroom", "verdict", "declared at"], rows, "limits"),
    box,
  );
}

function comparedPart(view) {
  const compared = urgentFirst((view.verdicts || []).filter((one) => one.base !== undefined));
  if (!compared.length) return null;
  const [rows, box] = withDetails(
    compared.map((one) => [
      h(
        "tr",
        { class: rowClass(one) },
        named(one),
        h("td", { class: "number", "data-head": "base" }, one.base),
        h("td", { class: "number", "data-head": "now" }, one.now),
        h("td", { class: "number", "data-head": "change" }, one.change),
        h("td", { class: "number quiet", "data-head": "95% interval" }, one.interval),
        verdictOf(one, one.word),
        h("td", { class: "quiet small", "data-head": "allowed" }, one.limit.replace("regression ", "")),
        h("td", { class: "quiet small" }, one.declared),
      ),
      one,
    ]),
    8,
  );
  return section(
    "compared",
    "Compared with the base",
    table(["metric", ">base", ">now", ">change", ">95% interval", "verdict", "allowed", "declared at"], rows, "limits"),
    box,
  );
}
