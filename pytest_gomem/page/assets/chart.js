// The course of a window over time, by uPlot: curves, limits as lines, GC cycles as ticks, phases as bands.

const COLOURS = {
  rss: "--c-rss", hwm: "--c-hwm", heap_live: "--c-live", heap_goal: "--c-goal", threads: "--c-threads", fds: "--c-fds",
};
const DASHED = { hwm: [4, 3], heap_goal: [7, 4] };
const HIDDEN_FIRST = new Set(["hwm", "threads", "fds"]);
const NEAR = 2.5; // a limit further above all curves than this would flatten them
const HEIGHT = 330;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Draws a course and returns what ends it.
function drawCourse(element, course) {
  const curves = course.curves.map((curve) => ({
    ...curve, times: unpacked(curve.t, 0.001), values: unpacked(curve.v, curve.step), shown: !HIDDEN_FIRST.has(curve.name),
  }));
  const top = Math.max(...curves.filter((curve) => curve.unit === "bytes").map((curve) => Math.max(...curve.values)), 0);
  const limits = course.limits.map((limit) => ({ ...limit, shown: !top || limit.value <= top * NEAR }));
  const cycles = course.cycles && { ...course.cycles, times: unpacked(course.cycles.t, 0.001), shown: true };
  const first = Math.min(...curves.map((curve) => curve.times[0]));
  const last = Math.max(...curves.map((curve) => curve.times[curve.times.length - 1]));
  const readout = h("p", { class: "readout", "aria-live": "off" });
  const place = h("div", { class: "plot", tabindex: "0", role: "img", "aria-label": describe(curves, limits, cycles, course) });
  const reset = h("button", { type: "button", class: "plain", disabled: true, click: () => zoomTo(first, last) }, "Reset zoom");
  const legend = h("div", { class: "legend", role: "group", "aria-label": "Show in the chart" });
  const zoomBy = (factor, label, text) => h("button", { type: "button", class: "plain", "aria-label": label, click: () => zoom(factor) }, text);
  const zooms = h("span", { class: "zooms" }, zoomBy(0.6, "Zoom in", "+"), zoomBy(1 / 0.6, "Zoom out", "−"), reset);
  element.append(h("div", { class: "chart-head" }, legend, zooms), place, readout);

  let cursor = 0;
  const stepped = uPlot.paths.stepped({ align: 1 });
  const series = curves.map((curve) => ({
    label: curve.title, scale: curve.unit === "bytes" ? "y" : "n", show: curve.shown, spanGaps: true, width: curve.name === "rss" ? 2 : 1.5,
    stroke: () => css(COLOURS[curve.name] || "--ink"), dash: DASHED[curve.name], points: { show: curve.times.length < 3 },
    paths: curve.name === "rss" || curve.name === "heap_live" ? undefined : stepped,
  }));
  const chart = new uPlot({
    width: Math.max(place.clientWidth, 200), height: heightNow(), legend: { show: false }, padding: [18, 12, 0, 4],
    cursor: { drag: { x: true, y: false, setScale: true }, points: { size: 7 }, y: false },
    scales: {
      x: { time: false },
      y: { range: () => [0, Math.max(visibleTop(), 1) * 1.08] },
      n: { range: (u, min, max) => (max === null ? [null, null] : [0, Math.max(max, 1) * 1.15]) },
    },
    axes: [
      axis({ values: (u, ticks) => ticks.map((tick) => `${Number(tick.toFixed(3))} s`), space: 70, size: 30 }),
      axis({ scale: "y", values: (u, ticks) => tickTexts(ticks, "bytes"), size: 64 }),
      axis({ scale: "n", side: 1, grid: { show: false }, values: (u, ticks) => tickTexts(ticks, "count"), size: 46 }),
    ],
    series: [{}, ...series],
    hooks: {
      drawClear: [drawPhases], draw: [drawMarks, drawLimits], setCursor: [tell],
      setScale: [(u, key) => { if (key === "x") reset.disabled = isWhole(); }],
    },
  }, uPlot.join(curves.map((curve) => [curve.times, curve.values])), place);

  function axis(own) {
    return { stroke: () => css("--quiet"), font: "12px system-ui, sans-serif", ticks: { stroke: () => css("--line"), size: 4, width: 1 },
      ...own, grid: { stroke: () => css("--grid"), width: 1, ...own.grid } };
  }
  function heightNow() { return innerWidth < 600 ? 250 : HEIGHT; }
  function visibleTop() {
    const shown = curves.filter((curve) => curve.shown && curve.unit === "bytes").map((curve) => Math.max(...curve.values));
    return Math.max(...shown, ...limits.filter((limit) => limit.shown).map((limit) => limit.value), 0);
  }
  function isWhole() { return chart === undefined || (chart.scales.x.min <= first && chart.scales.x.max >= last); }
  function zoomTo(min, max) { chart.setScale("x", { min: Math.max(min, first), max: Math.min(max, last) }); }

  function zoom(factor) {
    const { min, max } = chart.scales.x;
    const middle = cursor > min && cursor < max ? cursor : (min + max) / 2;
    zoomTo(middle - ((max - min) / 2) * factor, middle + ((max - min) / 2) * factor);
  }

  function drawPhases(u) {
    const { ctx, bbox } = u;
    ctx.save();
    course.phases.forEach(([name, from, to], number) => {
      const left = Math.max(u.valToPos(from, "x", true), bbox.left);
      const right = Math.min(u.valToPos(to, "x", true), bbox.left + bbox.width);
      if (right <= left) return;
      ctx.fillStyle = css(number % 2 ? "--band-2" : "--band-1");
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
      ctx.fillStyle = css("--quiet");
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      ctx.textBaseline = "bottom";
      ctx.fillText(fitted(ctx, name, right - left - 4), left + 2, bbox.top - 3 * devicePixelRatio);
    });
    ctx.restore();
  }
  function drawMarks(u) {
    if (!cycles || !cycles.shown) return;
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    const longest = Math.max(...cycles.pauses.map((pause) => pause || 0), 1);
    const forced = new Set(cycles.forced);
    ctx.save();
    ctx.lineWidth = Math.max(ratio, 1);
    cycles.times.forEach((t, at) => {
      const x = Math.round(u.valToPos(t, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      const size = (6 + 14 * ((cycles.pauses[at] || 0) / longest)) * ratio;
      ctx.strokeStyle = css(forced.has(at) ? "--c-forced" : "--c-gc");
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x, bbox.top + bbox.height - size);
      ctx.stroke();
    });
    if (course.peak) drawPeak(u);
    ctx.restore();
  }
  function drawPeak(u) {
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    const rss = curves.find((curve) => curve.name === "rss");
    if (!rss || !rss.shown) return;
    // Between its two moments; the sample that shows most of it may lie just outside.
    const from = Math.max(lastUntil(rss.times, course.peak[0]), 0), to = Math.min(lastUntil(rss.times, course.peak[1]) + 1, rss.times.length - 1);
    let at = from;
    for (let next = from; next <= to; next++) if (rss.values[next] > rss.values[at]) at = next;
    const x = u.valToPos(rss.times[at], "x", true), y = u.valToPos(rss.values[at], "y", true);
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    ctx.setLineDash([]);
    ctx.strokeStyle = css("--c-rss");
    ctx.lineWidth = 1.5 * ratio;
    ctx.beginPath();
    ctx.arc(x, y, 5 * ratio, 0, 2 * Math.PI);
    ctx.stroke();
  }
  function drawLimits(u) {
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
    const taken = [];
    for (const limit of limits.filter((one) => one.shown).sort((a, b) => b.value - a.value)) {
      const y = Math.round(u.valToPos(limit.value, "y", true));
      const colour = css(limit.kind === "max" || limit.kind === "min" ? "--bad" : limit.kind === "warn" ? "--warn" : "--quiet");
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash(limit.kind === "max" || limit.kind === "min" ? [] : [6 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      const below = y - bbox.top < 14 * ratio;
      ctx.textAlign = "right";
      ctx.textBaseline = below ? "top" : "bottom";
      const text = fitted(ctx, limit.title, bbox.width - 8);
      const width = ctx.measureText(text).width;
      const height = 13 * ratio, start = below ? y + 2 * ratio : y - height - 1 * ratio;
      let right = bbox.left + bbox.width - 4 * ratio; // to the left of those that it would cover
      for (const other of taken) if (Math.abs(other.start - start) < height + ratio) right = Math.min(right, other.left - 10 * ratio);
      taken.push({ start, left: right - width });
      ctx.save();
      ctx.globalAlpha = 0.85;
      ctx.fillStyle = css("--paper");
      ctx.fillRect(right - width - 2 * ratio, start, width + 4 * ratio, height);
      ctx.restore();
      ctx.fillText(text, right, below ? y + 3 * ratio : y - 2 * ratio);
    }
    ctx.restore();
  }
  function fitted(ctx, text, width) {
    if (ctx.measureText(text).width <= width) return text;
    let cut = text;
    while (cut && ctx.measureText(`${cut}…`).width > width) cut = cut.slice(0, -1);
    return cut ? `${cut}…` : "";
  }

  function tell(u) {
    const at = u.cursor.idx;
    if (at === null || at === undefined || u.cursor.left < 0) { readout.textContent = usual; return; }
    tellAt(u.data[0][at]);
  }
  function tellAt(t) {
    const phase = course.phases.find(([, from, to]) => from <= t && t <= to);
    const parts = curves.filter((curve) => curve.shown).map((curve) => {
      const found = lastUntil(curve.times, t);
      return found < 0 ? null : `${curve.title} ${valueText(curve.values[found], curve.unit)}`;
    });
    readout.textContent = [secondsText(t), phase && `in ${phase[0]}`, ...parts].filter(Boolean).join("   ");
  }
  const usual = "Drag to zoom, double click to see all. By keyboard: arrows move the cursor, + and - zoom, 0 shows all.";
  readout.textContent = usual;

  // A finger moves what is zoomed; up and down it scrolls the page.
  let held = null;
  chart.over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse") held = { x: event.clientX, min: chart.scales.x.min, max: chart.scales.x.max };
  });
  chart.over.addEventListener("pointermove", (event) => {
    if (!held || event.pointerType === "mouse") return;
    const span = held.max - held.min;
    const min = Math.min(Math.max(held.min + ((held.x - event.clientX) / chart.over.clientWidth) * span, first), last - span);
    chart.setScale("x", { min, max: min + span });
  });
  for (const end of ["pointerup", "pointercancel"]) chart.over.addEventListener(end, () => { held = null; });

  place.addEventListener("keydown", (event) => {
    const { min, max } = chart.scales.x;
    const move = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (move) {
      cursor = Math.min(Math.max((cursor || (min + max) / 2) + move * (max - min), min), max);
      chart.setCursor({ left: chart.valToPos(cursor, "x"), top: 10 });
      tellAt(cursor);
    } else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 0.6 : 1 / 0.6);
    else if (event.key === "0") zoomTo(first, last);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const entries = [
    ...curves.map((curve, at) => ({
      title: curve.title, colour: COLOURS[curve.name] || "--ink", dashed: Boolean(DASHED[curve.name]), of: curve,
      change: () => {
        chart.setSeries(at + 1, { show: curve.shown });
        chart.redraw(true, true);
      },
    })),
    ...limits.map((limit) => ({
      title: limit.title + (limit.shown ? "" : " (above the chart)"), of: limit, line: true,
      colour: limit.kind === "max" || limit.kind === "min" ? "--bad" : limit.kind === "warn" ? "--warn" : "--quiet",
      change: () => chart.setScale("x", { min: chart.scales.x.min, max: chart.scales.x.max }) || chart.redraw(false, true),
    })),
    ...(cycles ? [{ title: gcTitle(cycles), colour: "--c-gc", of: cycles, tick: true, change: () => chart.redraw(false) }] : []),
  ];
  for (const entry of entries) {
    const key = h("span", { class: `key ${entry.dashed ? "dashed" : ""} ${entry.tick ? "tick" : ""}`, "aria-hidden": "true" });
    key.style.setProperty("--key", `var(${entry.colour})`);
    const button = h("button", { type: "button", "aria-pressed": String(entry.of.shown), click: () => {
      entry.of.shown = !entry.of.shown;
      button.setAttribute("aria-pressed", String(entry.of.shown));
      entry.change();
    } }, key, entry.title);
    legend.append(button);
  }
  return whileVisible(place, chart, heightNow);
}

function gcTitle(cycles) {
  const shown = cycles.times.length;
  return `${plural(cycles.count, "GC cycle")}${shown < cycles.count ? ` (${shown} longest pauses)` : ""}`;
}

function describe(curves, limits, cycles, course) {
  const of = curves.map((curve) => `${curve.title}: at most ${valueText(Math.max(...curve.values), curve.unit)}, at the end ${valueText(curve.values[curve.values.length - 1], curve.unit)}`);
  const rest = [...limits.map((limit) => `limit ${limit.title}`), cycles && gcTitle(cycles), ...course.phases.map(([name]) => `phase ${name}`)];
  return `Course over ${secondsText(course.duration)}. ${[...of, ...rest].filter(Boolean).join("; ")}`;
}

function lastUntil(times, t) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= t + 1e-9) low = middle + 1; else high = middle;
  }
  return low - 1;
}

// Keeps a chart as wide as its place and in the colours of the theme; returns what ends it.
function whileVisible(place, chart, height) {
  const fit = new ResizeObserver(() => {
    const width = place.clientWidth;
    if (width && Math.abs(width - chart.width) > 1) chart.setSize({ width, height: height() });
  });
  fit.observe(place);
  const repaint = () => chart.redraw(false);
  document.addEventListener("themechange", repaint);
  return () => {
    fit.disconnect();
    document.removeEventListener("themechange", repaint);
    chart.destroy();
  };
}

const growthTitle = (growth) => `${growth.name}: ${{ grows: `grows by ${growth.slope}`, saturates: "it rose and stopped", level: "no growth can be told" }[growth.shape] || growth.shape}`;

// A course of growth: its points, and the line that was fitted through them.
function drawGrowth(element, growth) {
  const x = unpacked(growth.x, growth.steps[0]), y = unpacked(growth.y, growth.steps[1]);
  const from = x[Math.min(growth.warm, x.length - 1)], to = x[x.length - 1];
  const place = h("div", { class: "plot", role: "img", "aria-label": `${growthTitle(growth)}, ${plural(x.length, "point")}` });
  element.append(place);
  const height = () => 220;
  const chart = new uPlot({
    width: Math.max(place.clientWidth, 200), height: height(), legend: { show: false }, cursor: { drag: { x: true, y: false } },
    scales: { x: { time: false } },
    axes: [
      { stroke: () => css("--quiet"), grid: { stroke: () => css("--grid"), width: 1 }, ticks: { show: false }, size: 30, space: 60, values: (u, ticks) => (growth.per === "op" ? tickTexts(ticks, "count") : ticks.map((tick) => `${Number(tick.toPrecision(4))} s`)) },
      { stroke: () => css("--quiet"), grid: { stroke: () => css("--grid"), width: 1 }, ticks: { show: false }, size: 64, values: (u, ticks) => tickTexts(ticks, growth.unit) },
    ],
    series: [{}, { stroke: () => css("--c-live"), width: 0, paths: () => null, points: { show: true, size: 6, fill: () => css("--c-live") } },
      { stroke: () => css(growth.shape === "grows" ? "--bad" : "--quiet"), width: 2, dash: growth.shape === "grows" ? undefined : [6, 4], spanGaps: true, points: { show: false } }],
  }, uPlot.join([[x, y], [[from, to], growth.line]]), place);
  return whileVisible(place, chart, height);
}
