// Puts the page together.

const reports = JSON.parse(document.getElementById("report").textContent);
const main = document.getElementById("report-body");

function show(report) {
  const several = reports.length > 1;
  document.title = fileName(report.input) + " – edgesmith report";
  const again = (other) => {
    show(other);
    const pressed = main.querySelector("[aria-pressed=true]");
    if (pressed) pressed.focus();
  };
  const sections = [
    several ? pipelines(reports, report, again) : null,
    overview(report), costs(report), passes(report), losses(report), remarks(report), trace(report),
  ].filter(Boolean);
  const links = sections.map((part) => element("a", { href: "#" + part.id }, part.querySelector("h2").textContent));
  main.replaceChildren(
    element("h1", {}, fileName(report.input)),
    note("Pipeline '" + report.pipeline + "', edgesmith " + report.edgesmith),
    element("nav", { class: "toc", "aria-label": "Sections" }, links), ...sections);
}

// Light or dark: as the system says until the reader chooses; the choice is kept where the browser keeps anything.
function themes() {
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const read = () => { try { return window.localStorage.getItem("edgesmith-theme"); } catch { return null; } };
  const keep = (theme) => { try { window.localStorage.setItem("edgesmith-theme", theme); } catch { /* not kept */ } };
  let theme = read();
  const apply = () => {
    const dark = theme ? theme === "dark" : system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", dark ? "Light colours" : "Dark colours");
  };
  button.addEventListener("click", () => {
    theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    keep(theme);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

function saving() {
  document.getElementById("save").addEventListener("click", () => {
    const data = JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2);
    const address = URL.createObjectURL(new Blob([data], { type: "application/json" }));
    const link = element("a", { href: address, download: fileName(reports[0].input) + ".report.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  });
}

themes();
saving();
show(reports[0]);
