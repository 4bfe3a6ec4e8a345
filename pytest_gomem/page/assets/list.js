// The list of tests: a row for each, filtered and sorted in place.

const STATUSES = ["failed", "warned", "noisy", "passed", "skipped"];
const RANK = Object.fromEntries(STATUSES.map((status, at) => [status, at]));
const list = { rows: [], order: [], status: "", words: [], sort: "worst", reversed: false };

function buildList() {
  const place = by("list");
  const columns = RUN.columns.filter(([name]) => RUN.rows.some((row) => row.figures[name]));
  const heads = [
    ["status", "Status"],
    ["name", "Test"],
    ["worst", "Tightest limit"],
    ...columns.map(([name, title]) => [name, title]),
  ];
  const head = h(
    "div",
    { class: "row head" },
    heads.map(([key, title]) =>
      h("button", { type: "button", class: `sort c-${kindOf(key)}`, click: () => sortBy(key) }, title),
    ),
  );
  [...head.children].forEach((button, at) => {
    button.dataset.key = heads[at][0];
  });
  const body = h("div", { id: "rows", role: "list" });
  list.rows = RUN.rows.map((row, number) => makeRow(row, number, columns));
  body.append(...list.rows.map((row) => row.element));
  place.style.setProperty("--figures", columns.length);
  place.append(head, body, h("p", { id: "none", class: "quiet", hidden: true }, "No test matches."));
  by("sort").append(...heads.map(([key, title]) => h("option", { value: key }, title)));
  by("sort").value = list.sort;
  by("sort").addEventListener("change", (event) => {
    list.sort = event.target.value;
    list.reversed = false;
    arrange();
  });
  by("filter").addEventListener("input", (event) => {
    list.words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    arrange();
  });
  const choices = [
    ["", "all", RUN.rows.length],
    ...STATUSES.map((status) => [status, status, RUN.counts[status]]),
  ].filter(([key, , count]) => !key || count);
  by("statuses").append(
    ...choices.map(([key, word, count]) => {
      const chip = h(
        "button",
        {
          type: "button",
          class: `chip ${TONES[key] || "none"}`,
          "aria-pressed": String(!key),
          click: () => {
            list.status = key;
            for (const other of by("statuses").children) other.setAttribute("aria-pressed", String(other === chip));
            arrange();
          },
        },
        word,
        h("span", { class: "count" }, String(count)),
      );
      return chip;
    }),
  );
  arrange();
}

const kindOf = (key) => (["status", "name", "worst"].includes(key) ? key : "figure");

function makeRow(row, number, columns) {
  const [where, name] = partsOf(row.id);
  const limit = row.limit;
  const link = h(
    "a",
    {
      class: "row",
      href: addressOf(number),
      "aria-label": `${row.id}: ${row.status}${limit ? `, ${limit.name} ${limit.standing}` : ""}`,
    },
    h("span", { class: "c-status" }, pill(row.status)),
    h(
      "span",
      { class: "c-name" },
      h("span", { class: "name" }, breakable(name)),
      h(
        "span",
        { class: "where" },
        where,
        row.windows > 1 && ` · ${row.windows} windows, shown: ${row.of}`,
        row.culprit && ` · ${row.culprit}`,
      ),
    ),
    h(
      "span",
      { class: "c-worst" },
      limit && usedBar(limit),
      limit &&
        h("span", { class: "limit" }, h("span", {}, limit.name), " ", h("span", { class: "quiet" }, limit.limit)),
      limit
        ? h("span", { class: `standing ${TONES[limit.status] || "none"}` }, limit.standing)
        : h("span", { class: "quiet" }, row.windows ? "no limit" : row.outcome),
    ),
    columns.map(([key, title]) =>
      h("span", { class: "c-figure", "data-title": title }, row.figures[key] ? row.figures[key][1] : "–"),
    ),
  );
  return {
    row,
    number,
    element: h("div", { role: "listitem", class: "item" }, link),
    link,
    text: `${row.id} ${limit ? limit.name : ""} ${row.culprit || ""}`.toLowerCase(),
  };
}

function sortBy(key) {
  list.reversed = list.sort === key && !list.reversed;
  list.sort = key;
  by("sort").value = key;
  arrange();
}

// Names sort upwards, figures downwards: the largest is what one looks for. What has no value stays last.
const KEYS = {
  name: (one) => one.row.id,
  status: (one) => RANK[one.row.status],
  worst: (one) =>
    RANK[one.row.status] * 1e12 + (one.row.limit && one.row.limit.room !== null ? one.row.limit.room : 1e9),
};
function arrange() {
  const figure = (one) => (one.row.figures[list.sort] ? -one.row.figures[list.sort][0] : Infinity);
  const key = KEYS[list.sort] || figure;
  const sign = list.reversed ? -1 : 1;
  const keyed = list.rows.map((one) => [key(one), one]);
  const missing = (value) => value === Infinity;
  keyed.sort(([a, one], [b, other]) => {
    if (missing(a) || missing(b)) return missing(a) - missing(b) || one.number - other.number;
    return (a < b ? -1 : a > b ? 1 : 0) * sign || one.number - other.number;
  });
  list.order = keyed
    .map(([, one]) => one)
    .filter(
      (one) => (!list.status || one.row.status === list.status) && list.words.every((word) => one.text.includes(word)),
    );
  by("rows").replaceChildren(...list.order.map((one) => one.element));
  by("none").hidden = list.order.length > 0;
  by("shown").textContent =
    list.order.length === list.rows.length ? "" : `${list.order.length} of ${plural(list.rows.length, "test")}`;
  for (const button of document.querySelectorAll(".row.head .sort")) {
    const is = button.dataset.key === list.sort;
    button.setAttribute("aria-pressed", String(is));
    button.dataset.direction = is ? (list.reversed ? "up" : "down") : "";
  }
}

function comparedView() {
  const found = RUN.compared;
  if (!found.rows.length) return false;
  const place = by("view-compared");
  const calmOnes = found.rows.filter((row) => row.calm).length;
  const bodyOf = (all) =>
    found.rows
      .filter((row) => all || !row.calm)
      .map((row) =>
        h(
          "tr",
          { class: TONES[row.status] === "bad" ? "bad-row" : null },
          h(
            "td",
            {},
            h(
              "a",
              { href: addressOf(row.test, row.window) },
              partsOf(RUN.rows[row.test].id)[1] + (row.window ? ` / ${row.window}` : ""),
            ),
          ),
          row.cells.length
            ? row.cells.map((cell, at) =>
                h(
                  "td",
                  { class: at === 0 ? null : at === 4 ? null : "number" },
                  at === 4 ? pill(row.status, cell) : cell,
                ),
              )
            : h("td", { colspan: found.columns.length, class: "quiet" }, `not compared: ${row.why}`),
        ),
      );
  const heads = ["test", ...found.columns.map((head, at) => (at === 0 || at === 4 ? head : `>${head}`))];
  const content = h("div");
  const draw = (all) => content.replaceChildren(table(heads, bodyOf(all)));
  draw(calmOnes === found.rows.length);
  place.append(
    h(
      "div",
      { class: "card" },
      calmOnes > 0 &&
        calmOnes < found.rows.length &&
        h(
          "label",
          { class: "check" },
          h("input", { type: "checkbox", change: (event) => draw(event.target.checked) }),
          ` show ${plural(calmOnes, "metric")} that did not change`,
        ),
      content,
    ),
  );
  return true;
}

function matrixView() {
  if (!RUN.matrices.length) return false;
  by("view-matrix").append(
    ...RUN.matrices.map((one) =>
      h(
        "section",
        { class: "card" },
        h("h3", {}, one.title),
        h("p", { class: "quiet" }, `${one.by}; the best of each column is marked`),
        table(
          [...one.settings, ...one.metrics.map((name) => `>${name}`), ""],
          one.rows.map((row) =>
            h(
              "tr",
              {},
              row.settings.map((value) => h("th", { scope: "row" }, value)),
              row.texts.map((text, at) =>
                h(
                  "td",
                  { class: `number ${row.best[at] ? "best" : ""}` },
                  text || "–",
                  row.best[at] && h("span", { class: "star", title: "best of its column" }, "*"),
                ),
              ),
              h("td", { class: "quiet" }, row.complete ? "" : "failed"),
            ),
          ),
        ),
        one.remarks.map((text) => h("p", {}, text)),
      ),
    ),
  );
  return true;
}
