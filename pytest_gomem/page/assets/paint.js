// What is painted on the canvas of a course besides its curves: phases, GC cycles, the peak, and limits.

// The painters of a course; each draws what is shown at the moment.
function paintersOf(course, curves, limits, cycles) {
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
    const { ctx, bbox } = u,
      ratio = devicePixelRatio;
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
    const { ctx, bbox } = u,
      ratio = devicePixelRatio;
    const rss = curves.find((curve) => curve.name === "rss");
    if (!rss || !rss.shown) return;
    // Between its two moments; the sample that shows most of it may lie just outside.
    const from = Math.max(lastUntil(rss.times, course.peak[0]), 0),
      to = Math.min(lastUntil(rss.times, course.peak[1]) + 1, rss.times.length - 1);
    let at = from;
    for (let next = from; next <= to; next++) if (rss.values[next] > rss.values[at]) at = next;
    const x = u.valToPos(rss.times[at], "x", true),
      y = u.valToPos(rss.values[at], "y", true);
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    ctx.setLineDash([]);
    ctx.strokeStyle = css("--c-rss");
    ctx.lineWidth = 1.5 * ratio;
    ctx.beginPath();
    ctx.arc(x, y, 5 * ratio, 0, 2 * Math.PI);
    ctx.stroke();
  }
  function drawLimits(u) {
    const { ctx, bbox } = u,
      ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
    const taken = [];
    for (const limit of limits.filter((one) => one.shown).sort((a, b) => b.value - a.value)) {
      const y = Math.round(u.valToPos(limit.value, "y", true));
      const colour = css(
        limit.kind === "max" || limit.kind === "min" ? "--bad" : limit.kind === "warn" ? "--warn" : "--quiet",
      );
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
      const height = 13 * ratio,
        start = below ? y + 2 * ratio : y - height - 1 * ratio;
      let right = bbox.left + bbox.width - 4 * ratio; // to the left of those that it would cover
      for (const other of taken)
        if (Math.abs(other.start - start) < height + ratio) right = Math.min(right, other.left - 10 * ratio);
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
  return { phases: drawPhases, marks: drawMarks, limits: drawLimits };
}

function lastUntil(times, t) {
  let low = 0,
    high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= t + 1e-9) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
