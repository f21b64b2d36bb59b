// Elements, and numbers as people read them.

function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function drawing(name, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

// Text always becomes a text node, so that nothing in a model's names is read as markup.
function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child);
  }
  return node;
}

const THIN = "\u202f";

function grouped(n) {
  const [whole, part] = String(n).split(".");
  const text = whole.replace(/\B(?=(\d{3})+$)/g, THIN);
  return part === undefined ? text : text + "." + part;
}

function count(n) {
  if (n === null || n === undefined) return "?";
  const size = Math.abs(n);
  if (size >= 1e9) return (n / 1e9).toFixed(2) + THIN + "G";
  if (size >= 1e6) return (n / 1e6).toFixed(2) + THIN + "M";
  return grouped(n);
}

function bytes(n) {
  if (n === null || n === undefined) return "?";
  const units = [[2 ** 30, "GiB", 2], [2 ** 20, "MiB", 2], [2 ** 10, "KiB", 1]];
  for (const [size, unit, digits] of units) {
    if (Math.abs(n) >= size) return (n / size).toFixed(digits) + THIN + unit;
  }
  return n + THIN + "B";
}

function seconds(s) {
  if (s >= 1) return s.toFixed(2) + THIN + "s";
  return (s * 1000).toFixed(s >= 0.1 ? 0 : 1) + THIN + "ms";
}

function nanoseconds(ns) {
  if (ns === null || ns === undefined) return "?";
  if (ns >= 1e9) return (ns / 1e9).toFixed(2) + THIN + "s";
  if (ns >= 1e6) return (ns / 1e6).toFixed(2) + THIN + "ms";
  return (ns / 1e3).toFixed(ns >= 1e5 ? 0 : 1) + THIN + "µs";
}

// By how much something changed, in percent of what it was.
function change(before, after) {
  if (before === null || after === null || before === undefined || after === undefined) return "";
  if (before === after) return "same";
  if (before === 0) return "new";
  const percent = (after - before) * 100 / before;
  const digits = Math.abs(percent) < 10 ? 1 : 0;
  const size = Math.abs(percent).toFixed(digits);
  // What is tiny did change all the same.
  if (Number(size) === 0) return percent < 0 ? "−<0.1" + THIN + "%" : "+<0.1" + THIN + "%";
  return (percent < 0 ? "−" : "+") + size + THIN + "%";
}

function difference(x) {
  if (x === 0) return "bit-equal";
  return x.toExponential(1);
}

// Decibels come as numbers, "inf" or "-inf".
function decibels(value) {
  if (value === null || value === undefined) return null;
  if (value === "inf") return Infinity;
  if (value === "-inf") return -Infinity;
  return value;
}

function decibelText(value) {
  if (value === null) return "?";
  if (value === Infinity) return "equal";
  if (value === -Infinity) return "lost";
  return value.toFixed(2) + THIN + "dB";
}

function plural(n, one, many) {
  return grouped(n) + " " + (n === 1 ? one : many || one + "s");
}

// A name of many parts, which may be broken between them when it is too long for its place.
function path(name) {
  const pieces = String(name).split(/(?<=[/.:])/);
  return element("span", { class: "path" }, pieces.map((piece, at) => (at ? [element("wbr"), piece] : piece)));
}

function fileName(path) {
  return path.split(/[\\/]/).pop();
}

let lastId = 0;
function freshId(prefix) {
  lastId += 1;
  return prefix + "-" + lastId;
}

// A list to choose from, with its label. `options` are [value, text] pairs.
function choice(label, options, value, changed) {
  const id = freshId("choice");
  const list = element("select", { id, onchange: () => changed(list.value) },
    options.map(([key, text]) => element("option", { value: key, selected: String(key) === String(value) }, text)));
  return element("span", { class: "field" }, element("label", { for: id }, label), list);
}

function textFilter(label, placeholder, changed) {
  const id = freshId("filter");
  let waiting = 0;
  const box = element("input", {
    id, type: "search", placeholder, autocomplete: "off", spellcheck: "false",
    // Not at every key, because a list may be long.
    oninput: () => { clearTimeout(waiting); waiting = setTimeout(() => changed(box.value.trim().toLowerCase()), 120); },
  });
  return element("span", { class: "field grow" }, element("label", { for: id }, label), box);
}

function section(id, title, ...content) {
  return element("section", { id, "aria-labelledby": id + "-title" },
    element("h2", { id: id + "-title" }, title), content);
}

function note(...content) {
  return element("p", { class: "note" }, content);
}
