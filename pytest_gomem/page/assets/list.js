// The list of tests: a row for each, filtered and sorted in place.

const STATUSES = ["failed", "warned", "noisy", "passed", "skipped"];
const RANK = Object.fromEntries(STATUSES.map((status, at) => [status, at]));
const list = {
  ...{ rows: [], order: [], statuses: [], sorts: [], views: [] },
  ...{ view: "tests", status: "", find: "", sort: "worst", reversed: false },
};

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
  by("sort").addEventListener("change", (event) => rearrange({ sort: event.target.value, reversed: false }));
  by("filter").addEventListener("input", (event) => rearrange({ find: event.target.value }));
  const choices = [
    ["", "all", RUN.rows.length],
    ...STATUSES.map((status) => [status, status, RUN.counts[status]]),
  ].filter(([key, , count]) => !key || count);
  list.statuses = choices.map(([key]) => key);
  list.sorts = heads.map(([key]) => key);
  by("statuses").append(
    ...choices.map(([key, word, count]) =>
      h(
        "button",
        {
          type: "button",
          class: `chip ${TONES[key] || "none"}`,
          click: () => rearrange({ status: key }),
        },
        word,
        h("span", { class: "count" }, String(count)),
      ),
    ),
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

const sortBy = (key) => rearrange({ sort: key, reversed: list.sort === key && !list.reversed });

function rearrange(changed) {
  Object.assign(list, changed);
  arrange();
  keepAddress();
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
  const words = list.find.toLowerCase().split(/\s+/).filter(Boolean);
  keyed.sort(([a, one], [b, other]) => {
    if (missing(a) || missing(b)) return missing(a) - missing(b) || one.number - other.number;
    return (a < b ? -1 : a > b ? 1 : 0) * sign || one.number - other.number;
  });
  list.order = keyed
    .map(([, one]) => one)
    .filter(
      (one) => (!list.status || one.row.status === list.status) && words.every((word) => one.text.includes(word)),
    );
  by("rows").replaceChildren(...list.order.map((one) => one.element));
  by("none").hidden = list.order.length > 0;
  by("shown").textContent =
    list.order.length === list.rows.length ? "" : `${list.order.length} of ${plural(list.rows.length, "test")}`;
  by("sort").value = list.sort;
  [...by("statuses").children].forEach((chip, at) =>
    chip.setAttribute("aria-pressed", String(list.statuses[at] === list.status)),
  );
  for (const button of document.querySelectorAll(".row.head .sort")) {
    const is = button.dataset.key === list.sort;
    button.setAttribute("aria-pressed", String(is));
    button.dataset.direction = is ? (list.reversed ? "up" : "down") : "";
  }
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
