// What became of every operator of the source.

const FATES = { kept: "kept", rewritten: "rewritten", merged: "merged", gone: "gone" };

// Reads the trace into indexes; everything here takes time in proportion to the trace.
function readTrace(trace) {
  const n = trace.origins.length;
  const children = new Array(n), events = new Array(n), results = new Array(n);
  const push = (lists, at, item) => { (lists[at] || (lists[at] = [])).push(item); };
  trace.origins.forEach((origin, index) => { for (const from of origin.from || []) push(children, from, index); });
  trace.events.forEach((event, index) => { for (const from of event.from) push(events, from, index); });
  trace.result.forEach((op, index) => push(results, op.origin, index));
  // Backwards from the result: what lives on by provenance, and what lives on in an equal operator too.
  const ends = trace.result.map((op) => op.origin);
  const makers = new Array(n);
  trace.events.forEach((event, index) => { if (event.into !== undefined) push(makers, event.into, index); });
  const parents = (at) => trace.origins[at].from || [];
  const alive = reach(n, ends, parents);
  const survives = reach(n, ends, (at) => [...parents(at), ...(makers[at] || []).flatMap((event) => trace.events[event].from)]);
  const rows = [];
  trace.origins.forEach((origin, index) => {
    if (origin.node === undefined) return;
    const fate = results[index] ? "kept" : alive[index] ? "rewritten" : survives[index] ? "merged" : "gone";
    const rules = (events[index] || []).map((event) => trace.events[event].rule);
    rows.push({
      index, fate, node: origin.node, operator: origin.operator, scope: origin.scope || "",
      text: [origin.node, origin.operator, origin.scope || "", FATES[fate], ...new Set(rules)].join(" ").toLowerCase(),
    });
  });
  return { trace, children, events, results, rows };
}

// The numbers that can be reached from some along edges, marked in an array.
function reach(n, from, edges) {
  const marks = new Uint8Array(n), waiting = [];
  const visit = (at) => { if (!marks[at]) { marks[at] = 1; waiting.push(at); } };
  from.forEach(visit);
  while (waiting.length) edges(waiting.pop()).forEach(visit);
  return marks;
}

// The whole story of one source node: the rules that it met, and the operators that it lives on in.
function story(known, source) {
  const { trace, children, events, results } = known;
  const closure = (start, edges) => {
    const reached = new Set(start), waiting = [...start];
    while (waiting.length) {
      for (const next of edges(waiting.pop())) if (!reached.has(next)) { reached.add(next); waiting.push(next); }
    }
    return [...reached];
  };
  const offspring = (at) => children[at] || [];
  const own = closure([source], offspring);
  const happened = new Set(own.flatMap((origin) => events[origin] || []));
  const into = [...happened].map((event) => trace.events[event].into).filter((origin) => origin !== undefined);
  const heirs = closure([...own, ...into], (at) => [...offspring(at),
    ...(events[at] || []).map((event) => trace.events[event].into).filter((origin) => origin !== undefined)]);
  const becomes = new Set(heirs.flatMap((origin) => results[origin] || []));
  const rules = new Map();
  for (const event of [...happened].sort((a, b) => a - b)) {
    const rule = trace.events[event].rule;
    rules.set(rule, (rules.get(rule) || 0) + 1);
  }
  return { rules: [...rules], becomes: [...becomes].sort((a, b) => a - b).map((op) => trace.result[op]) };
}

function fateCell(known, row) {
  const { rules, becomes } = story(known, row.index);
  const shown = becomes.slice(0, 3).filter((op) => !(row.fate === "kept" && op.name === row.node));
  const more = becomes.length - Math.min(3, becomes.length);
  const by = rules.map(([rule, n]) => (n > 1 ? rule + " ×" + grouped(n) : rule));
  return [
    element("span", { class: "tag " + row.fate }, FATES[row.fate]), " ",
    by.length ? [element("span", { class: "rules" }, by.join(", ")), " "] : "",
    shown.length ? ["→ ", shown.map((op, at) => [at ? ", " : "", op.operator + " ", path(op.name)]), more > 0 ? " and " + grouped(more) + " more" : ""] : "",
  ];
}

function trace(report) {
  const known = readTrace(report.trace);
  const state = { text: "", fate: "" };
  const list = table([
    { title: "Source node", value: (row) => row.node, cell: (row) => path(row.node) },
    { title: "Operator", value: (row) => row.operator },
    { title: "What became of it", wide: true, value: (row) => row.fate, cell: (row) => fateCell(known, row) },
    { title: "Scope", value: (row) => row.scope, cell: (row) => path(row.scope) },
  ], known.rows, { label: "What became of every operator of the source", cards: true });
  const update = () => list.replaceRows(known.rows.filter((row) => row.text.includes(state.text) && (!state.fate || row.fate === state.fate)));
  const counts = {};
  for (const row of known.rows) counts[row.fate] = (counts[row.fate] || 0) + 1;
  const fates = Object.keys(FATES).filter((fate) => counts[fate]).map((fate) => [fate, FATES[fate] + " (" + grouped(counts[fate]) + ")"]);
  return section("trace", "Trace", element("div", { class: "controls" },
    textFilter("Filter", "node, operator, scope or rule", (text) => { state.text = text; update(); }),
    choice("Fate", [["", "all (" + grouped(known.rows.length) + ")"], ...fates], "", (value) => { state.fate = value; update(); })), list,
    note("Kept: it stands in the result as it was. Rewritten: it became other operators. Merged: an equal operator does its work. Gone: folded into constants, or without effect."));
}
