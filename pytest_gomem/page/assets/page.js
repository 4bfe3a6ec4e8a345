// Starts the page: its head, the list, and the way between list and test, which the address keeps.

const RUN = JSON.parse(by("run").textContent);
const numberOf = new Map(RUN.rows.map((row, number) => [row.id, number]));
let opened = null; // the number of the test that is shown

function buildHead() {
  by("title").textContent = RUN.title;
  const { failed } = RUN.counts,
    all = RUN.rows.length;
  const verdict = by("verdict");
  verdict.className = failed ? "bad" : "good";
  verdict.append(
    h(
      "strong",
      {},
      failed
        ? `${failed} of ${plural(all, "test")} failed`
        : all
          ? `${plural(all, "test")}, none failed`
          : "No test was measured",
    ),
  );
  const rest = ["warned", "noisy", "skipped"]
    .filter((status) => RUN.counts[status])
    .map((status) => `${RUN.counts[status]} ${status}`);
  if (rest.length) verdict.append(h("span", { class: "quiet" }, rest.join(", ")));
  by("facts").append(
    ...RUN.facts.map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value.replace(/\b([0-9a-f]{12})[0-9a-f]{28}\b/g, "$1"))),
    ),
  );
  by("warnings").append(...RUN.warnings.map((text) => h("p", { class: "warning" }, text)));
  if (RUN.shards.length) {
    const rows = RUN.shards.map((shard) =>
      h(
        "tr",
        {},
        shard.map((cell) => h("td", {}, cell)),
      ),
    );
    by("warnings").append(
      h(
        "details",
        {},
        h("summary", {}, `made of ${plural(RUN.shards.length, "report")}`),
        table(["report", "tests", "environment", "how it ended"], rows),
      ),
    );
  }
}

function buildViews() {
  const views = [
    ["tests", "Tests"],
    comparedView() && ["compared", "Compared"],
    matrixView() && ["matrix", "GC settings"],
  ].filter(Boolean);
  list.views = views.map(([key]) => key);
  const made = tabs("Views", views, "tests", (key) => {
    showView(key);
    keepAddress();
  });
  by("views").replaceWith(made);
  made.id = "views";
  made.hidden = views.length < 2;
  [...made.children].forEach((tab) => {
    tab.id = `tab-${tab.dataset.key}`;
    tab.setAttribute("aria-controls", `view-${tab.dataset.key}`);
  });
}

function showView(chosen) {
  list.view = chosen;
  for (const key of list.views) by(`view-${key}`).hidden = key !== chosen;
}

let scrolled = 0;
function showList() {
  if (opened === null) return;
  const last = list.rows[opened];
  opened = null;
  closeTest();
  by("test").hidden = by("way").hidden = true;
  by("overview").hidden = false;
  document.querySelector("header.top").classList.remove("small");
  scrollTo(0, scrolled);
  if (last.link.isConnected) last.link.focus({ preventScroll: true });
  else by("list").focus({ preventScroll: true });
}

function openTest(number, label) {
  if (document.readyState === "loading" && !by(`t${number}`)) {
    document.addEventListener("DOMContentLoaded", () => openTest(number, label), { once: true });
    return;
  }
  if (opened === null) scrolled = scrollY;
  opened = number;
  by("overview").hidden = true;
  by("test").hidden = by("way").hidden = false;
  document.querySelector("header.top").classList.add("small");
  const heading = showTest(number, label, WAY);
  scrollTo(0, 0);
  heading.focus({ preventScroll: true });
}

const neighbour = (step) => {
  const at = list.order.findIndex((one) => one.number === opened);
  return at < 0 ? undefined : list.order[at + step];
};
const WAY = {
  back: () => {
    location.hash = listAddress();
  },
  has: (step) => Boolean(neighbour(step)),
  step: (step) => {
    const next = neighbour(step);
    if (next) location.hash = addressOf(next.number);
  },
  window: (label) => history.replaceState(null, "", addressOf(opened, label)),
};

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("gomem-theme", theme);
  } catch {
    /* a file may have no storage */
  }
  document.dispatchEvent(new Event("themechange"));
}
const isDark = () => document.documentElement.dataset.theme === "dark";
function nameTheme() {
  by("theme").textContent = isDark() ? "Light" : "Dark";
  by("theme").setAttribute("aria-label", `Show in ${isDark() ? "light" : "dark"} colours`);
}

function moveInList(step) {
  const at = list.order.findIndex((one) => one.link === document.activeElement);
  const next =
    list.order[
      at < 0 ? (step > 0 ? 0 : list.order.length - 1) : Math.min(Math.max(at + step, 0), list.order.length - 1)
    ];
  if (next) next.link.focus();
}

function toFilter() {
  if (opened !== null) {
    history.replaceState(null, "", listAddress() || "#");
    showList();
  }
  by("filter").focus();
  by("filter").select();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const writing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (opened !== null) WAY.back();
    else if (event.target === by("filter")) {
      by("filter").value = "";
      by("filter").dispatchEvent(new Event("input"));
      by("filter").blur();
    }
    return;
  }
  if (event.target === by("filter") && (event.key === "ArrowDown" || event.key === "Enter")) {
    event.preventDefault();
    moveInList(1);
    return;
  }
  if (writing) return;
  const step = { j: 1, k: -1 }[event.key] || (opened === null && { ArrowDown: 1, ArrowUp: -1 }[event.key]);
  if (event.key === "/") {
    event.preventDefault();
    toFilter();
  } else if (event.key === "d") by("theme").click();
  else if (step && opened !== null) WAY.step(step);
  else if (
    step &&
    !by("view-tests").hidden &&
    (event.key === "j" || event.key === "k" || document.activeElement.closest("#list"))
  ) {
    event.preventDefault();
    moveInList(step);
  }
});

by("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
document.addEventListener("themechange", nameTheme);
let before = null; // what a printed page is not to be: dark
addEventListener("beforeprint", () => {
  before = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  document.dispatchEvent(new Event("themechange"));
});
addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = before;
  document.dispatchEvent(new Event("themechange"));
});
addEventListener("hashchange", route);

nameTheme();
buildHead();
buildList();
buildViews();
route();
document.documentElement.dataset.ready = "";
