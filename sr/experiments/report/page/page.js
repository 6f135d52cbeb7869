"use strict";
/* Begins it all: title, theme, then the parts in the order in which they are read. */
SR.page = (() => {
  const { el, byId, plural } = SR.base;
  const { model, state } = SR;
  const NAMED = 6;
  const THEMES = ["system", "light", "dark"];

  const theme = () => (THEMES.includes(state.values.theme) ? state.values.theme : "system");

  function showTheme() {
    document.documentElement.dataset.theme = theme();
    byId("theme").textContent = `Theme: ${theme()}`;
  }

  const nextTheme = () => state.set({ theme: THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length] });

  function head() {
    const { report, runs, groups, pictures } = model;
    document.title = report.title ? `${report.title} · report` : "Report";
    byId("title").textContent = report.title || "Report";
    byId("count-runs").textContent = runs.length;
    byId("count-curves").textContent = SR.curves.count;
    byId("count-pictures").textContent = pictures.length;
    const counts = new Map();
    for (const run of runs) counts.set(run.state, (counts.get(run.state) ?? 0) + 1);
    const states = [...counts]
      .map(([word, count]) => (count === runs.length ? `all ${word}` : `${count} ${word}`))
      .join(", ");
    const facts = [
      plural(runs.length, "run") +
        (groups.length && groups.length < runs.length ? ` in ${plural(groups.length, "group")}` : ""),
    ];
    if (runs.length > 1) facts.push(states);
    const names = model.columns
      .filter((column) => column.kind === "setting" && model.differs(column, runs))
      .map((column) => column.name);
    if (names.length)
      facts.push(
        `different in ${names.slice(0, NAMED).join(", ")}` +
          (names.length > NAMED ? ` and ${names.length - NAMED} more` : ""),
      );
    byId("lead").textContent = `${facts.join(" · ")}.`;
    byId("foot").replaceChildren(
      report.made ? `Made ${report.made} by ` : "Made by ",
      el("code", { text: report.command || "sr report" }),
      ". These files ask nothing of any network.",
    );
  }

  function pictures() {
    byId("viewer").hidden = !model.pictures.length;
    byId("no-pictures").hidden = Boolean(model.pictures.length);
    if (!model.pictures.length) {
      byId("no-pictures").textContent = "No run of this report has kept validation pictures.";
      return;
    }
    for (const part of [SR.sides, SR.viewer, SR.gestures, SR.compare, SR.history, SR.grid]) part.start();
  }

  function start() {
    showTheme();
    state.on(["theme"], showTheme);
    byId("theme").addEventListener("click", nextTheme);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => SR.curves.draw());
    for (const button of document.querySelectorAll("[data-jump]"))
      button.addEventListener("click", () => {
        byId(button.dataset.jump).scrollIntoView({ block: "start" });
        byId(button.dataset.jump).focus({ preventScroll: true });
      });
    byId("skip").addEventListener("click", (event) => {
      event.preventDefault();
      byId("table-box").focus();
    });
    if (!window.REPORT) {
      byId("lead").className = "empty";
      byId("lead").textContent =
        "There is nothing to show: data.js is missing beside this page, or damaged. " +
        "Copy the whole report folder, or make the report again.";
      for (const section of document.querySelectorAll("main > section")) section.hidden = true;
      return;
    }
    head();
    SR.table.start();
    performance.mark("table");
    SR.details.start();
    pictures();
    SR.curves.start();
    SR.keys.start();
    document.documentElement.dataset.ready = "yes";
  }

  return { start, nextTheme };
})();

SR.page.start();
