// Several pipelines side by side: a table, and a plot of what is gained against what is lost.

// What a run lost; a result that computes the same lost nothing.
function lost(report, figure) {
  if (report.verdict === "measured") return figure(report.loss);
  return ["unchanged", "checked", "locally-only"].includes(report.verdict) ? 0 : null;
}

function worst(values) {
  return values.length ? Math.max(...values) : null;
}

// A key, what it is called, how its values are written, what they are, and where its scale has round numbers.
const AXES = [
  ["file", "File size", bytes, (run) => run.size, 1024],
  ["macs", "MACs", count, (run) => run.metrics.macs_at_one],
  ["parameters", "Parameters", count, (run) => run.metrics.parameters],
  ["operators", "Operators", count, (run) => run.metrics.operators],
  ["memory", "Peak activations", bytes, (run) => run.metrics.peak_activation_bytes_at_one, 1024],
  ["latency", "Latency", nanoseconds, (run) => run.latency],
  ["top1", "Top-1 lost (points)", (x) => (x === null ? "?" : x.toFixed(2)), (run) => run.top1],
  ["cosine", "1 − cosine of the worst output", (x) => (x === null ? "?" : x === 0 ? "0" : x.toExponential(1)), (run) => run.cosine],
];

function runsOf(reports) {
  const first = reports[0];
  const median = (measured) => (measured ? measured.latency.p50_ns : null);
  const source = { name: "source", report: null, metrics: first.before, size: first.input_bytes, latency: median(first.latency && first.latency.before),
    top1: 0, cosine: 0 };
  return [source, ...reports.map((report) => ({
    name: report.pipeline, report, metrics: report.after, size: report.output === null ? null : report.output_bytes,
    latency: median(report.latency && report.latency.after),
    top1: lost(report, (loss) => (loss.top1 ? (loss.top1.before - loss.top1.after) * 100 / Math.max(1, loss.top1.samples) : null)),
    cosine: lost(report, (loss) => worst(loss.outputs.map((output) => 1 - output.cosine))),
  }))];
}

function pipelines(reports, chosen, choose) {
  const runs = runsOf(reports);
  const axesHere = AXES.filter(([key]) => key !== "latency" || reports.some((report) => report.latency));
  const columns = [
    { title: "Pipeline", value: (run) => run.name, cell: (run) => (run.report
      ? element("button", { type: "button", class: "plain", "aria-pressed": String(run.report === chosen), onclick: () => choose(run.report) }, run.name) : run.name) },
    ...axesHere.filter(([key]) => key !== "memory").map(([key, title, show, value]) => ({
      title: key === "cosine" ? "1 − cosine" : key === "top1" ? "Top-1 lost" : title, number: true, hint: title,
      value, cell: (run) => (value(run) === null ? "?" : show(value(run))),
    })),
    { title: "Verdict", value: (run) => (run.report ? run.report.verdict.replace("-", " ") : "") },
  ];
  const has = (key, test) => runs.some((run) => test(AXES.find((axis) => axis[0] === key)[3](run)));
  const across = "file";
  const up = has("top1", (x) => x > 0) ? "top1" : has("cosine", (x) => x > 0) ? "cosine" : "macs";
  const holder = element("div");
  const state = { x: across, y: up };
  const draw = () => holder.replaceChildren(plot(runs, axis(state.x), axis(state.y), chosen, choose));
  const axes = axesHere.map(([key, title]) => [key, title]);
  draw();
  return section("pipelines", "Pipelines compared",
    element("div", { class: "controls" },
      choice("Across", axes, across, (value) => { state.x = value; draw(); }),
      choice("Up", axes, up, (value) => { state.y = value; draw(); })),
    holder, table(columns, runs, { label: "Pipelines compared" }),
    note("The line joins the pipelines that no other beats in both. The rest of the page is about '" + chosen.pipeline + "'; press another's name to see it."));
}

function axis(key) {
  return AXES.find((entry) => entry[0] === key);
}

// Round numbers for the ticks of a scale from lo to hi.
function ticks(lo, hi, most, base) {
  // Bytes have their round numbers at powers of 1024.
  if (base) {
    const unit = base ** Math.max(0, Math.floor(Math.log(hi) / Math.log(base)));
    return ticks(lo / unit, hi / unit, most).map((at) => at * unit);
  }
  const rough = (hi - lo) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const list = [];
  for (let at = Math.ceil(lo / step) * step; at <= hi + step / 1e6; at += step) list.push(Math.abs(at) < step / 1e6 ? 0 : at);
  return list;
}

function plot(runs, [, xTitle, xShow, xOf, xBase], [, yTitle, yShow, yOf, yBase], chosen, choose) {
  const points = runs.map((run) => ({ run, x: xOf(run), y: yOf(run) })).filter((point) => point.x !== null && point.y !== null);
  const missing = runs.filter((run) => !points.some((point) => point.run === run)).map((run) => run.name);
  const narrow = window.matchMedia("(max-width: 640px)").matches;
  const W = narrow ? 370 : 720, H = narrow ? 320 : 380, left = 78, right = 24, top = 20, bottom = 52;
  const range = (values) => {
    const lo = Math.min(...values, 0), hi = Math.max(...values);
    // Where all lie close together far from zero, the scale begins near them.
    const low = Math.min(...values);
    const base = low > 0 && (hi - low) < hi * 0.6 ? low - (hi - low || hi) * 0.25 : lo;
    return [Math.max(base, lo), hi === base ? base + 1 : hi + (hi - base) * 0.08];
  };
  const [x0, x1] = range(points.map((point) => point.x)), [y0, y1] = range(points.map((point) => point.y));
  const px = (x) => left + (x - x0) * (W - left - right) / (x1 - x0);
  const py = (y) => H - bottom - (y - y0) * (H - top - bottom) / (y1 - y0);
  const front = points.filter((a) => !points.some((b) => b !== a && b.x <= a.x && b.y <= a.y && (b.x < a.x || b.y < a.y)))
    .sort((a, b) => a.x - b.x || a.y - b.y);
  const image = drawing("svg", { viewBox: "0 0 " + W + " " + H, class: "plot", role: "group", "aria-label": yTitle + " against " + xTitle },
    ticks(x0, x1, narrow ? 3 : 5, xBase).map((x) => [drawing("line", { class: "grid", x1: px(x), x2: px(x), y1: top, y2: H - bottom }),
      drawing("text", { class: "tick", x: px(x), y: H - bottom + 18, "text-anchor": "middle" }, xShow(x))]),
    ticks(y0, y1, 5, yBase).map((y) => [drawing("line", { class: "grid", x1: left, x2: W - right, y1: py(y), y2: py(y) }),
      drawing("text", { class: "tick", x: left - 8, y: py(y) + 4, "text-anchor": "end" }, yShow(y))]),
    drawing("text", { class: "axis", x: (left + W - right) / 2, y: H - 10, "text-anchor": "middle" }, xTitle),
    drawing("text", { class: "axis", x: 16, y: (top + H - bottom) / 2, "text-anchor": "middle", transform: "rotate(-90 16 " + (top + H - bottom) / 2 + ")" }, yTitle),
    drawing("polyline", { class: "front", points: front.map((point) => px(point.x) + "," + py(point.y)).join(" ") }),
    labelled(points, px, py, W).map(({ point, x, y, tx, ty, anchor }) => {
      const { run } = point;
      const go = run.report ? () => choose(run.report) : null;
      const kind = ["point", front.includes(point) ? "best" : "", run.report === chosen ? "chosen" : "", run.report ? "" : "source"].join(" ");
      return drawing("g", {
        class: kind, tabindex: go ? "0" : null, role: go ? "button" : "img",
        "aria-label": run.name + ": " + xTitle + " " + xShow(point.x) + ", " + yTitle + " " + yShow(point.y),
        onclick: go || (() => {}), onkeydown: (event) => { if (go && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); go(); } },
      }, drawing("title", {}, run.name + ": " + xShow(point.x) + ", " + yShow(point.y)),
      drawing("circle", { cx: x, cy: y, r: 6 }), drawing("text", { x: tx, y: ty, "text-anchor": anchor }, run.name));
    }));
  return element("div", { class: "figure" }, image,
    missing.length ? note("Not in the plot, because it was not measured: " + missing.join(", ") + ".") : null);
}

// Labels beside their points, moved down where one would cover another.
function labelled(points, px, py, width) {
  const placed = [];
  return points.slice().sort((a, b) => py(a.y) - py(b.y)).map((point) => {
    const x = px(point.x), y = py(point.y);
    const leftwards = x > width * 0.72;
    const length = point.run.name.length * 7.5;
    const tx = leftwards ? x - 11 : x + 11;
    const from = leftwards ? tx - length : tx;
    let ty = y + 4;
    while (placed.some((other) => Math.abs(other.ty - ty) < 15 && from < other.to && other.from < from + length)) ty += 15;
    placed.push({ from, to: from + length, ty });
    return { point, x, y, tx, ty, anchor: leftwards ? "end" : "start" };
  });
}
