// Tables: sorted by the buttons in their heads, a part of the rows at a time.

const ROWS_AT_FIRST = 25;
const ROWS_MORE = 200;

// columns: { title, value(row) to sort by, cell(row) to show (else the value), hint; number, wide, drawn: how it is laid out }
// options: { label, sort: [column, descending], rows: how many at first, empty: what to say when there are none,
//            cards: on narrow screens each row is a card }
function table(columns, rows, options) {
  const state = {
    sort: options.sort ? options.sort[0] : null,
    descending: options.sort ? options.sort[1] : false,
    shown: options.rows || ROWS_AT_FIRST,
  };
  // Cards are no table to the browser's layout, so they say what they are.
  const role = (name) => (options.cards ? name : null);
  const kindOf = (column) => ["number", "wide", "drawn"].filter((kind) => column[kind]).join(" ") || null;
  const heads = columns.map((column, index) => {
    const kind = kindOf(column);
    if (!column.value) return element("th", { scope: "col", class: kind, role: role("columnheader") }, column.title);
    const button = element("button", { type: "button", title: column.hint || null, onclick: () => sortBy(index) },
      column.title, element("span", { class: "arrow", "aria-hidden": "true" }));
    return element("th", { scope: "col", class: kind, "aria-sort": "none", role: role("columnheader") }, button);
  });
  const body = element("tbody", { role: role("rowgroup") });
  const more = element("button", { type: "button", class: "more", onclick: showMore });
  const status = element("p", { class: "quiet status", role: "status" });
  const frame = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": options.label },
    element("table", { role: role("table") }, element("thead", { role: role("rowgroup") }, element("tr", { role: role("row") }, heads)), body));
  const whole = element("div", { class: options.cards ? "table cards" : "table" }, frame, element("div", { class: "below" }, status, more));
  let ordered = [];

  function sortBy(index) {
    // Numbers are asked for from the largest down, words from A on; a second press turns the order round.
    if (state.sort === index) state.descending = !state.descending;
    else { state.sort = index; state.descending = Boolean(columns[index].number) && !columns[index].ascending; }
    arrange();
  }

  function arrange() {
    ordered = rows.slice();
    if (state.sort !== null) {
      const value = columns[state.sort].value;
      const sign = state.descending ? -1 : 1;
      const keyed = ordered.map((row, index) => [value(row), index, row]);
      keyed.sort((a, b) => compare(a[0], b[0], sign) || a[1] - b[1]);
      ordered = keyed.map((entry) => entry[2]);
    }
    heads.forEach((head, index) => {
      if (!columns[index].value) return;
      const order = index !== state.sort ? "none" : state.descending ? "descending" : "ascending";
      head.setAttribute("aria-sort", order);
    });
    body.replaceChildren();
    append(0);
  }

  function append(from) {
    const fresh = ordered.slice(from, state.shown).map((row) => element("tr", { role: role("row") }, columns.map((column, index) => {
      const content = column.cell ? column.cell(row) : column.value(row);
      return index === 0
        ? element("th", { class: kindOf(column), scope: "row", role: role("rowheader") }, content)
        : element("td", { class: kindOf(column), role: role("cell") }, content);
    })));
    body.append(...fresh);
    const left = ordered.length - Math.min(state.shown, ordered.length);
    more.hidden = left === 0;
    more.textContent = "Show " + grouped(Math.min(left, ROWS_MORE)) + " more";
    status.textContent = ordered.length === 0 ? options.empty || "Nothing matches."
      : left === 0 ? "" : grouped(ordered.length - left) + " of " + grouped(ordered.length) + " rows";
  }

  function showMore() {
    const from = state.shown;
    state.shown += ROWS_MORE;
    append(from);
    // Where the button goes away, the focus stays at the place.
    if (more.hidden) frame.focus();
  }

  whole.replaceRows = (fresh) => {
    rows = fresh;
    state.shown = options.rows || ROWS_AT_FIRST;
    arrange();
  };
  arrange();
  return whole;
}

// What is not known stands last in either order.
function compare(a, b, sign) {
  const known = (x) => x !== null && x !== undefined && !Number.isNaN(x);
  if (!known(a) || !known(b)) return (known(a) ? 0 : 1) - (known(b) ? 0 : 1);
  if (typeof a === "string" || typeof b === "string") {
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  }
  return a === b ? 0 : sign * (a < b ? -1 : 1);
}
