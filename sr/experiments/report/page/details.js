"use strict";
/* One run: how it stands, the command that repeats it, what exploded, and its whole configuration. */
SR.details = (() => {
  const { el, byId, command, fixed, duration, plural, isNumber } = SR.base;
  const { model, state } = SR;
  let paths = null;

  /** Lines of a plain YAML text: {text, path, value}; the path is dotted, with numbers for entries of lists. */
  function lines(text) {
    const above = [];
    const entries = new Map();
    const path = () => above.map((one) => one.name).join(".");
    return (text ?? "")
      .replace(/\n+$/, "")
      .split("\n")
      .map((line) => {
        let depth = line.search(/\S|$/);
        let rest = line.slice(depth);
        const entry = rest === "-" || rest.startsWith("- ");
        // An entry may lie as deep as the key of its list.
        while (
          above.length &&
          (above.at(-1).depth > depth || (above.at(-1).depth === depth && !(entry && above.at(-1).key)))
        )
          above.pop();
        if (entry) {
          const list = path();
          entries.set(list, (entries.get(list) ?? -1) + 1);
          above.push({ depth, name: String(entries.get(list)) });
          depth += 2;
          rest = rest.slice(2);
        }
        const key = /^("[^"]*"|'[^']*'|[^\s'"#][^:]*?):(\s|$)/.exec(rest)?.[1];
        if (key) above.push({ depth, name: key, key: true });
        return { text: line, path: path(), value: key ? rest.slice(key.length + 1).trim() : rest };
      });
  }

  /** Of every run, values by path. Made once, when the first configuration is shown. */
  function known() {
    paths ??= new Map(
      model.runs
        .filter((run) => run.config)
        .map((run) => [run.id, new Map(lines(run.config).map((line) => [line.path, line.value]))]),
    );
    return paths;
  }

  /** What other runs have in a line's place; empty where all have the same. */
  function others(run, line) {
    const found = new Set();
    for (const [id, values] of known())
      if (id !== run.id) found.add(values.has(line.path) ? values.get(line.path) : "(nothing)");
    found.delete(line.value);
    return [...found];
  }

  function config(run) {
    if (!run.config) return el("p", { class: "empty", text: "The configuration of this run is not known." });
    const all = lines(run.config).map((line) => {
      const different = others(run, line);
      const node = el(
        "span",
        {
          class: different.length ? "line differs" : "line",
          title: different.length ? `in other runs: ${different.slice(0, 6).join(" | ")}` : null,
        },
        el("span", { class: "mark", "aria-hidden": "true", text: different.length ? "≠" : " " }),
        line.text || " ",
      );
      if (different.length) node.append(el("span", { class: "unseen", text: " (differs)" }));
      return { node, text: `${line.path}\n${line.text}`.toLowerCase(), differs: different.length > 0 };
    });
    const count = el("span", { class: "note", role: "status" });
    const search = el("input", {
      type: "search",
      id: "config-search",
      placeholder: "a key or a value",
      autocomplete: "off",
      spellcheck: "false",
    });
    const only = el("input", { type: "checkbox", id: "config-differs" });
    const show = () => {
      const wanted = search.value.trim().toLowerCase();
      let left = 0;
      for (const line of all) {
        line.node.hidden = (wanted && !line.text.includes(wanted)) || (only.checked && !line.differs);
        left += line.node.hidden ? 0 : 1;
      }
      count.textContent =
        wanted || only.checked ? `${left} of ${plural(all.length, "line")}` : plural(all.length, "line");
    };
    search.addEventListener("input", show);
    only.addEventListener("change", show);
    show();
    return el(
      "div",
      {},
      el(
        "div",
        { class: "controls" },
        el("label", { class: "field grow" }, el("span", { text: "Search" }), search),
        el("label", { class: "tick" }, only, el("span", { text: "Only what differs (≠)" })),
        count,
      ),
      el("pre", { class: "config", tabindex: "0", "aria-label": "Configuration" }, ...all.map((line) => line.node)),
    );
  }

  function facts(run) {
    const list = [
      ["state", run.sentence ? `${run.state}: ${run.sentence}` : run.state],
      ["folder", run.folder],
      ["updates", isNumber(run.updates) ? fixed(run.updates, 0) : null],
      ["training", isNumber(run.seconds) ? duration(run.seconds) : null],
      ["pictures/s", isNumber(run.pictures_per_second) ? fixed(run.pictures_per_second, 1) : null],
      ["parameters", isNumber(run.parameters) ? fixed(run.parameters, 0) : null],
      ["seed", run.seed],
      ["scale", run.scale],
      [
        "best validation",
        isNumber(run.best_updates) && run.best_updates >= 0 ? `at ${fixed(run.best_updates, 0)} updates` : null,
      ],
    ].filter(([, value]) => value !== null && value !== undefined && value !== "");
    return el(
      "dl",
      { class: "facts" },
      ...list.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: String(value) })]),
    );
  }

  /** What went wrong in one run, as items of a list. */
  function events(run, withName) {
    return (run.events ?? []).map((event) =>
      el(
        "li",
        {},
        el(
          "p",
          {},
          withName
            ? el("button", { type: "button", class: "link", text: run.name, click: () => state.set({ run: run.id }) })
            : null,
          withName ? " " : null,
          el("strong", {
            text: isNumber(event.updates) ? `at ${fixed(event.updates, 0)} updates` : "at an unknown time",
          }),
          `: ${event.what}`,
        ),
        event.replay
          ? command(event.replay, "the command that replays it")
          : el("p", { class: "note", text: "No bundle was kept of it, so it cannot be replayed." }),
      ),
    );
  }

  const changed = ({ updates, setting, before, after }) =>
    el("li", { text: `after ${fixed(updates, 0)} updates: ${setting} from ${before} to ${after}` });

  function show() {
    const dialog = byId("run-dialog");
    const run = model.runs.find((one) => String(one.id) === state.values.run);
    if (!run) {
      if (dialog.open) dialog.close();
      return;
    }
    const happened = events(run, false);
    dialog.replaceChildren(
      el(
        "div",
        { class: "dialog-head" },
        el("h2", { id: "run-title", text: run.name }),
        el("button", { type: "button", text: "Close", click: () => dialog.close() }),
      ),
      facts(run),
      el("h3", { text: "The command that repeats it" }),
      run.command
        ? command(run.command, "the command that repeats this run")
        : el("p", { class: "note", text: "Not known: this run kept no command." }),
      ...(happened.length ? [el("h3", { text: "What exploded" }), el("ul", { class: "events" }, ...happened)] : []),
      ...(run.changes?.length
        ? [el("h3", { text: "Changed when it went on" }), el("ul", {}, ...run.changes.map(changed))]
        : []),
      el("h3", { text: "Configuration" }),
      config(run),
    );
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }

  function start() {
    const all = model.runs.flatMap((run) => events(run, true));
    byId("explosions").hidden = !all.length;
    byId("events").append(...all);
    byId("run-dialog").addEventListener("close", () => state.set({ run: "" }));
    state.on(["run"], show);
    show();
  }

  return { start, lines };
})();
