// The parts of the page about one pipeline: overview, cost, passes, losses, remarks.

// ---- overview

const VERDICTS = {
  "unchanged": ["good", "✓"], "checked": ["good", "✓"], "locally-only": ["fair", "≈"], "measured": ["fair", "≈"],
  "not-checked": ["poor", "!"], "not-measured": ["poor", "!"], "differs": ["bad", "✗"],
};

function verdict(report) {
  const [kind, mark] = VERDICTS[report.verdict] || ["poor", "!"];
  return element("p", { class: "verdict " + kind },
    element("span", { class: "mark", "aria-hidden": "true" }, mark), element("span", {}, report.verdict_text));
}

function overview(report) {
  const { before, after } = report;
  const tiles = [
    ["Operators", count, before.operators, after.operators],
    ["MACs", count, before.macs_at_one, after.macs_at_one],
    ["Parameters", count, before.parameters, after.parameters],
    ["File", bytes, report.input_bytes, report.output === null ? null : report.output_bytes],
    ["Peak activations", bytes, before.peak_activation_bytes_at_one, after.peak_activation_bytes_at_one],
    ...(report.latency ? [["Latency", nanoseconds, report.latency.before.latency.p50_ns, report.latency.after.latency.p50_ns]] : []),
  ].map(([name, show, old, fresh]) => element("div", { class: "tile" },
    element("dt", {}, name),
    element("dd", {},
      element("span", { class: "big" }, name === "File" && fresh === null ? "withheld" : show(fresh)),
      element("span", { class: "quiet" }, "from " + show(old), " ",
        element("span", { class: "change" }, fresh === null ? "" : change(old, fresh))))));
  const symbolic = typeof before.macs === "string" || typeof before.peak_activation_bytes === "string";
  const changes = report.passes.reduce((sum, pass) => sum + total(pass.rules) + total(pass.counts), 0);
  return section("overview", "Overview", verdict(report), element("dl", { class: "tiles" }, tiles),
    note(fileName(report.input), " → ", report.output === null ? "nothing written" : fileName(report.output), ". ",
      plural(changes, "change"), " in ", plural(report.passes.length, "pass", "passes"), ", ",
      seconds(report.passes.reduce((sum, pass) => sum + pass.seconds, 0)), " with their checks.",
      symbolic ? " Sizes with every symbolic dim at 1." : "",
      report.latency ? " Latency: median of " + plural(report.latency.runs, "run") + " in " + report.latency.engine + ", one thread, source and results in turns." : ""),
    typeof before.macs === "string" || typeof after.macs === "string" ? element("details", { class: "options" },
      element("summary", {}, "MACs in full"), element("p", { class: "path" }, "Before: " + before.macs), element("p", { class: "path" }, "After: " + after.macs)) : null);
}

function total(counts) {
  return Object.values(counts).reduce((sum, n) => sum + n, 0);
}

// ---- cost

const MEASURES = [
  ["operators", "Operators", count], ["macs_at_one", "MACs", count], ["parameters", "Parameters", count],
  ["weight_bytes", "Weight bytes", bytes], ["activation_bytes_at_one", "Bytes of results", bytes],
  ["ns", "Latency", nanoseconds],
];

// What there is to show: latency only where it was measured.
function measures(report) {
  return MEASURES.filter(([key]) => key !== "ns" || (report.latency && report.latency.before.profile && report.latency.after.profile));
}

// Costs with the time that operators of each name took, where that was measured.
function timed(costs, measured, by) {
  const all = {};
  for (const [name, cost] of Object.entries(costs)) all[name] = { ...cost, ns: 0 };
  for (const share of (measured && measured.profile ? measured.profile[by] : [])) {
    if (!all[share.name]) all[share.name] = Object.fromEntries(MEASURES.map(([key]) => [key, 0]));
    all[share.name].ns = share.ns;
  }
  return all;
}

function costs(report) {
  const latency = report.latency || {};
  const known = measures(report);
  const byKind = breakdown(known, "operator kind", timed(report.before.cost_by_kind, latency.before, "kinds"), timed(report.after.cost_by_kind, latency.after, "kinds"));
  const before = timed(report.before.cost_by_scope, latency.before, "scopes"), after = timed(report.after.cost_by_scope, latency.after, "scopes");
  const scopes = { ...before, ...after };
  const depths = Math.max(...Object.keys(scopes).map((scope) => parts(scope).length), 1);
  const holder = element("div");
  const at = (depth) => holder.replaceChildren(breakdown(known, "scope", rolled(before, depth), rolled(after, depth)));
  // As deep as leaves the table to be seen at one glance.
  let depth = depths;
  while (depth > 1 && Object.keys(rolled(scopes, depth)).length > 40) depth -= 1;
  at(depth);
  const choices = Array.from({ length: depths }, (_, n) => [n + 1, n + 1 === depths ? "whole scope" : plural(n + 1, "component")]);
  const scoped = Object.keys(scopes).some((scope) => scope !== "");
  return section("cost", "Cost, before and after",
    element("h3", {}, "By operator kind"), byKind,
    element("h3", {}, "By scope"),
    scoped ? [depths > 1 ? element("div", { class: "controls" }, choice("Depth", choices, depth, (value) => at(Number(value)))) : null, holder]
      : note("The exporter left no scopes in this model."),
    note("Weights that two rows share count in both."));
}

function parts(scope) {
  return scope === "" ? [] : scope.split(".");
}

// Costs with scopes cut to their first components.
function rolled(costs, depth) {
  const sums = {};
  for (const [scope, cost] of Object.entries(costs)) {
    const name = parts(scope).slice(0, depth).join(".");
    const sum = sums[name] || (sums[name] = {});
    for (const [key] of MEASURES) {
      const unknown = cost[key] === null || sum[key] === null;
      sum[key] = unknown ? null : (sum[key] || 0) + cost[key];
    }
  }
  return sums;
}

function breakdown(known, what, before, after) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const holder = element("div");
  const draw = (key) => {
    const [, title, show] = MEASURES.find((measure) => measure[0] === key);
    const of = (costs, name) => (costs[name] ? costs[name][key] : 0);
    const rows = names.map((name) => ({ name, old: of(before, name), fresh: of(after, name) }))
      .filter((row) => row.old !== 0 || row.fresh !== 0);
    const largest = Math.max(1, ...rows.map((row) => Math.max(row.old || 0, row.fresh || 0)));
    holder.replaceChildren(table([
      { title: what[0].toUpperCase() + what.slice(1), value: (row) => row.name, cell: (row) => (row.name ? path(row.name) : "(no scope)") },
      { title: "Before", number: true, value: (row) => row.old, cell: (row) => show(row.old) },
      { title: "After", number: true, value: (row) => row.fresh, cell: (row) => show(row.fresh) },
      { title: "Change", number: true, value: (row) => (row.fresh === null || row.old === null ? null : row.fresh - row.old), cell: (row) => changeOf(row) },
      { title: "", drawn: true, cell: (row) => bars(row.old, row.fresh, largest) },
    ], rows, { label: title + " by " + what, sort: [1, true], rows: 16, empty: "None of it has " + title + "." }));
  };
  const first = what === "scope" ? "macs_at_one" : "operators";
  draw(first);
  return element("div", {}, element("div", { class: "controls" },
    choice("Measure", known.map(([key, title]) => [key, title]), first, draw)), holder);
}

function changeOf(row) {
  if (row.fresh === 0 && row.old !== 0) return "gone";
  return change(row.old, row.fresh);
}

function bars(old, fresh, largest) {
  const bar = (value, kind) => element("span", { class: "bar " + kind, style: "width:" + (100 * (value || 0) / largest).toFixed(2) + "%" });
  return element("span", { class: "bars", "aria-hidden": "true" }, bar(old, "before"), bar(fresh, "after"));
}

// ---- passes

function passes(report) {
  let operators = report.before.operators;
  const list = report.passes.map((pass, index) => {
    const came = operators;
    operators = pass.operators;
    const made = total(pass.rules) + total(pass.counts);
    const state = pass.dropped ? "dropped" : pass.changed ? plural(made, "change") : "changed nothing";
    return element("details", { open: pass.changed || Boolean(pass.dropped), class: "pass" },
      element("summary", {}, element("span", { class: "name" }, index + 1 + ". " + pass.name), " ",
        element("span", { class: "quiet" }, state, " · ", came === operators ? plural(operators, "operator") : grouped(came) + " → " + grouped(operators) + " operators",
          " · ", seconds(pass.seconds))),
      pass.dropped ? element("p", { class: "verdict bad" }, "Dropped: " + pass.dropped) : null,
      ruleTable(pass), budget(pass), (pass.tables || []).map(ownTable),
      element("details", { class: "options" }, element("summary", {}, "Options"),
        element("pre", {}, JSON.stringify(pass.options, null, 2))));
  });
  return section("passes", "Passes and rules", list.length ? list : note("The pipeline has no passes."));
}

function ruleTable(pass) {
  const refused = {};
  for (const remark of pass.remarks) refused[remark.rule] = (refused[remark.rule] || 0) + 1;
  const names = [...new Set([...Object.keys(pass.rules), ...Object.keys(refused)])];
  const rows = names.map((name) => ({ name, fired: pass.rules[name] || 0, checks: pass.rule_checks[name], refused: refused[name] || 0 }));
  for (const [name, n] of Object.entries(pass.counts)) rows.push({ name, fired: n, refused: 0 });
  if (rows.length === 0) return note("No rule fired and none had anything to say.");
  const reasons = (checks) => Object.entries(checks.not_checked).map(([why, n]) => plural(n, "change") + " not checked: " + why);
  return table([
    { title: "Rule", value: (row) => row.name },
    { title: "Fired", number: true, value: (row) => row.fired, cell: (row) => grouped(row.fired) },
    { title: "Checked", number: true, value: (row) => (row.checks ? row.checks.checked : null), cell: (row) => (row.checks ? grouped(row.checks.checked) : "–") },
    { title: "Largest difference", number: true, value: (row) => (row.checks && row.checks.checked ? row.checks.largest_difference : null),
      cell: (row) => (row.checks && row.checks.checked ? difference(row.checks.largest_difference) : "–") },
    { title: "Not checked", number: true, value: (row) => (row.checks ? total(row.checks.not_checked) : null),
      cell: (row) => (row.checks ? element("span", { title: reasons(row.checks).join("; ") || null }, grouped(total(row.checks.not_checked))) : "–") },
    { title: "Failed", number: true, value: (row) => (row.checks ? row.checks.failed : null), cell: (row) => (row.checks ? grouped(row.checks.failed) : "–") },
    { title: "Remarks", number: true, value: (row) => row.refused, cell: (row) => grouped(row.refused) },
  ], rows, { label: "Rules of " + pass.name, sort: [1, true] });
}

function budget(pass) {
  if (!pass.budget) return null;
  const outcomes = { "kept": "kept", "eased": "kept after the pass was eased", "rolled-back": "broken by every form of the pass: rolled back", "unchanged": "not needed" };
  const limits = Object.entries(pass.budget.limits).map(([key, value]) => key + " " + value).join(", ");
  return element("div", {}, element("h4", {}, "Budget (" + limits + "): " + (outcomes[pass.budget.outcome] || pass.budget.outcome)),
    table([
      { title: "Setting", value: (row) => row.setting },
      { title: "Cosine", number: true, value: (row) => row.cosine, cell: (row) => (row.cosine === null ? "?" : row.cosine.toFixed(5)) },
      { title: "SQNR", number: true, value: (row) => decibels(row.sqnr), cell: (row) => decibelText(decibels(row.sqnr)) },
      { title: "Top-1 drop", number: true, value: (row) => row.top1_drop, cell: (row) => (row.top1_drop === null ? "?" : row.top1_drop.toFixed(2)) },
      { title: "Broken", value: (row) => row.broken.join("; "), cell: (row) => row.broken.join("; ") || "no" },
    ], pass.budget.attempts, { label: "Attempts to keep the budget" }));
}

// A table that the pass made itself: cells are { text | count | share | bytes: value }.
function ownTable(own) {
  const value = (cell) => Object.values(cell)[0];
  const text = (cell) => {
    if ("count" in cell) return count(cell.count);
    if ("share" in cell) return (cell.share * 100).toFixed(1) + THIN + "%";
    if ("bytes" in cell) return cell.bytes === 0 ? "nothing" : bytes(cell.bytes);
    return path(cell.text);
  };
  const columns = own.columns.map((title, index) => ({
    title: title || "Name", number: own.rows.some((row) => row[index] && !("text" in row[index])),
    value: (row) => (row[index] ? value(row[index]) : null), cell: (row) => (row[index] ? text(row[index]) : ""),
  }));
  return element("div", {}, element("h4", {}, own.title), table(columns, own.rows, { label: own.title }), own.notes.map((line) => note(line)));
}

// ---- losses

function losses(report) {
  const layers = report.passes.flatMap((pass) => (pass.loss ? pass.loss.layers.map((layer) => ({ pass: pass.name, ...layer })) : []));
  const whole = report.verdict === "measured" ? report.loss : null;
  const content = [];
  if (whole) content.push(element("h3", {}, "The result against the source"), lossOf(whole));
  const several = new Set(layers.map((layer) => layer.pass)).size > 1;
  if (layers.length) {
    const sqnr = (figures) => (figures ? decibels(figures.sqnr) : null);
    const cosine = (figures) => (figures ? figures.cosine : null);
    const figureColumns = (title, of, hint) => [
      { title: "SQNR " + title, number: true, ascending: true, hint, value: (row) => sqnr(of(row)), cell: (row) => decibelText(sqnr(of(row))) },
      { title: "Cosine " + title, number: true, ascending: true, hint, value: (row) => cosine(of(row)), cell: (row) => (cosine(of(row)) === null ? "?" : cosine(of(row)).toFixed(6)) },
    ];
    const columns = [
      { title: "Layer", value: (row) => row.layer, cell: (row) => path(row.layer) },
      { title: "Kind", value: (row) => row.kind },
      ...figureColumns("alone", (row) => row.isolated, "its new weights on the inputs that it had before"),
      ...figureColumns("in the model", (row) => row.accumulated, "with what earlier layers lost"),
      { title: "Scope", value: (row) => row.scope, cell: (row) => path(row.scope || "") },
    ];
    if (several) columns.splice(2, 0, { title: "Pass", value: (row) => row.pass });
    content.push(element("h3", {}, "By layer"),
      note("Worst first. Alone: the layer's new weights on the inputs that it had before. In the model: with what earlier layers lost."),
      table(columns, layers, { label: "Layers by loss", sort: [several ? 3 : 2, false] }));
  }
  for (const pass of report.passes) {
    if (pass.loss && (!whole || report.passes.filter((other) => other.loss).length > 1)) {
      content.push(element("h3", {}, "What '" + pass.name + "' lost"), lossOf(pass.loss));
    }
  }
  if (content.length === 0) content.push(note("No pass gave anything up: every change is exact or exact up to rounding."));
  return section("losses", "Losses", content);
}

function lossOf(loss) {
  const lines = [];
  if (loss.data) lines.push(note("On ", path(loss.data), loss.engine ? ", run by " + loss.engine : "", "."));
  if (loss.outputs.length) {
    lines.push(table([
      { title: "Output", value: (row) => row.output },
      { title: "SQNR", number: true, ascending: true, value: (row) => decibels(row.sqnr), cell: (row) => decibelText(decibels(row.sqnr)) },
      { title: "Cosine", number: true, ascending: true, value: (row) => row.cosine, cell: (row) => row.cosine.toFixed(6) },
      { title: "Elements", number: true, value: (row) => row.elements, cell: (row) => count(row.elements) },
    ], loss.outputs, { label: "Loss by output", sort: [1, false] }));
  }
  if (loss.top1) {
    const of = (n) => (n * 100 / Math.max(1, loss.top1.samples)).toFixed(2) + THIN + "%";
    lines.push(element("p", {}, "Top-1 ", element("strong", {}, of(loss.top1.before) + " → " + of(loss.top1.after)), " on ",
      plural(loss.top1.samples, "sample"), ": ", grouped(loss.top1.lost), " lost, ", grouped(loss.top1.won), " won, ",
      grouped(loss.top1.agree), " classed as before."));
  }
  for (const what of loss.not_measured) lines.push(note("Not measured: " + what));
  return lines;
}

// ---- remarks

function remarks(report) {
  const rows = report.passes.flatMap((pass, index) => pass.remarks.map((remark) => ({ where: index + 1 + ". " + pass.name, ...remark })));
  for (const remark of report.output_remarks) rows.push({ where: "writing", ...remark });
  for (const text of report.input_remarks) rows.push({ where: "reading", severity: "remark", rule: "", site: "", message: text, remedy: null });
  if (rows.length === 0) return section("remarks", "Remarks", note("There are none."));
  for (const row of rows) row.text = [row.where, row.severity, row.rule, row.site, row.message, row.remedy].join(" ").toLowerCase();
  const order = { error: 0, warning: 1, remark: 2 };
  const state = { text: "", severity: "" };
  const list = table([
    { title: "Rule", value: (row) => row.rule },
    { title: "Weight", value: (row) => order[row.severity], cell: (row) => element("span", { class: "tag " + row.severity }, row.severity) },
    { title: "Where", value: (row) => row.site, cell: (row) => path(row.site) },
    { title: "What", wide: true, value: (row) => row.message, cell: (row) => [row.message, row.remedy ? element("span", { class: "remedy" }, " → " + row.remedy) : ""] },
    { title: "Pass", value: (row) => row.where },
  ], rows, { label: "Remarks", sort: [1, false], cards: true });
  const update = () => list.replaceRows(rows.filter((row) => row.text.includes(state.text) && (!state.severity || row.severity === state.severity)));
  return section("remarks", "Remarks", element("div", { class: "controls" },
    textFilter("Filter", "rule, operator or words", (text) => { state.text = text; update(); }),
    choice("Weight", [["", "all"], ["error", "errors"], ["warning", "warnings"], ["remark", "remarks"]], "", (value) => { state.severity = value; update(); })), list);
}
