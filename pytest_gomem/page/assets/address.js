// What the address keeps: the test that is shown, or how the list is filtered. A link and Back restore both.

const addressOf = (number, label = "") =>
  `#test=${encodeURIComponent(RUN.rows[number].id)}${label ? `&window=${encodeURIComponent(label)}` : ""}`;

// What the list shows, without what it shows anyway.
function listAddress() {
  const known = [
    ["view", list.view === "tests" ? "" : list.view],
    ["find", list.find.trim()],
    ["status", list.status],
    ["sort", list.sort === "worst" ? "" : list.sort],
    ["order", list.reversed ? "reversed" : ""],
  ];
  const parts = known.filter(([, value]) => value).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return parts.length ? `#${parts.join("&")}` : "";
}

// In place: Back leads from a test to the list as it was, not through each letter of the filter.
function keepAddress() {
  if (opened !== null) return;
  try {
    history.replaceState(null, "", listAddress() || "#");
  } catch {
    /* some browsers refuse many changes in a row; the next one is kept */
  }
}

// Unknown values, such as a sort by a figure that this run lacks, are those of a new page.
function restoreList(asked) {
  const among = (name, known, usual) => (known.includes(asked.get(name)) ? asked.get(name) : usual);
  list.find = asked.get("find") || "";
  list.status = among("status", list.statuses, "");
  list.sort = among("sort", list.sorts, "worst");
  list.reversed = asked.get("order") === "reversed";
  by("filter").value = list.find;
  arrange();
  const view = among("view", list.views, "tests");
  by("views").select(view);
  showView(view);
}

function route() {
  const asked = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));
  const number = numberOf.get(asked.get("test"));
  if (number !== undefined) {
    openTest(number, asked.get("window"));
    return;
  }
  if (!["#list", listAddress()].includes(location.hash)) restoreList(asked);
  showList();
}
