// The view of what was compared: a row for each metric, and why windows were not.

function comparedView() {
  const { columns } = RUN.compared;
  const rows = RUN.compared.rows.filter((row) => row.cells.length);
  const left = RUN.compared.rows.filter((row) => !row.cells.length);
  if (!rows.length && !left.length) return false;
  const place = by("view-compared");
  const calmOnes = rows.filter((row) => row.calm).length;
  const bodyOf = (all) =>
    rows
      .filter((row) => all || !row.calm)
      .map((row) =>
        h(
          "tr",
          { class: TONES[row.status] === "bad" ? "bad-row" : null },
          h("td", {}, windowLink(row)),
          row.cells.map((cell, at) =>
            h("td", { class: at === 0 || at === 4 ? null : "number" }, at === 4 ? pill(row.status, cell) : cell),
          ),
        ),
      );
  const heads = ["test", ...columns.map((head, at) => (at === 0 || at === 4 ? head : `>${head}`))];
  const content = h("div");
  const draw = (all) => content.replaceChildren(table(heads, bodyOf(all)));
  draw(calmOnes === rows.length);
  if (rows.length)
    place.append(
      h(
        "div",
        { class: "card" },
        calmOnes > 0 &&
          calmOnes < rows.length &&
          h(
            "label",
            { class: "check" },
            h("input", { type: "checkbox", change: (event) => draw(event.target.checked) }),
            ` show ${plural(calmOnes, "metric")} that did not change`,
          ),
        content,
      ),
    );
  if (left.length) place.append(uncomparedPart(left));
  return true;
}

const windowLink = (row) =>
  h(
    "a",
    { href: addressOf(row.test, row.window) },
    partsOf(RUN.rows[row.test].id)[1] + (row.window ? ` / ${row.window}` : ""),
  );

// By reason, which many windows share; the most frequent first.
function uncomparedPart(left) {
  const groups = new Map();
  for (const row of left) groups.set(row.why, [...(groups.get(row.why) || []), row]);
  return h(
    "section",
    { class: "card uncompared", "aria-label": "Not compared" },
    h("h3", {}, `Not compared: ${plural(left.length, "window")}`),
    [...groups]
      .sort(([, a], [, b]) => b.length - a.length)
      .map(([why, rows]) =>
        h(
          "details",
          {},
          h("summary", {}, h("strong", {}, String(rows.length)), ` ${why}`),
          h(
            "ul",
            {},
            rows.map((row) => h("li", {}, windowLink(row))),
          ),
        ),
      ),
  );
}
