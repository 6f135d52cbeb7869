"use strict";
/* The table of runs. */
SR.table = (() => {
  const { el, byId, tick, segments, press, plural, say } = SR.base;
  const { model, state, colours, cells } = SR;
  const { NAME, STATE, chosen, visible, sorted, order } = SR.rows;

  /** First the better end, then the other, then as they came. */
  function turn(column) {
    const { id, down } = order();
    const first = (column.better ?? 0) > 0;
    const next = id !== column.id ? first : down === first ? !first : null;
    state.set({ sort: next === null ? "" : (next ? "-" : "") + column.id });
    byId("table-box")
      .querySelector(`[data-column="${CSS.escape(column.id)}"]`)
      ?.focus();
    say(next === null ? "Not sorted" : `Sorted by ${column.label}, ${next ? "largest first" : "smallest first"}`);
  }

  function head(columns) {
    const { id, down } = order();
    return el(
      "thead",
      {},
      el(
        "tr",
        {},
        ...[NAME, STATE, ...columns].map((column) => {
          const is = column.id === id;
          const good = column.better > 0 ? "more is better" : column.better < 0 ? "less is better" : "";
          const title = [column.title, good, "click to sort"].filter(Boolean).join("; ");
          return el(
            "th",
            {
              scope: "col",
              class: `${column.kind} ${column.id === "name" ? "sticky" : ""}`,
              "aria-sort": is ? (down ? "descending" : "ascending") : "none",
            },
            el(
              "button",
              { type: "button", class: "sort", title, "data-column": column.id, click: () => turn(column) },
              el("span", { text: column.label }),
              column.unit ? el("span", { class: "unit", text: ` ${column.unit}` }) : null,
              el("span", { class: "turn", "aria-hidden": "true", text: is ? (down ? " ↓" : " ↑") : "" }),
            ),
          );
        }),
      ),
    );
  }

  /** The first cell: pin, open, colour, name. */
  function nameCell(one, level) {
    const pinned = state.values.base === one.key;
    const cell = el("th", { scope: "row", class: `sticky name level-${level}` });
    const box = el("span", { class: "namebox" });
    box.append(
      el("button", {
        type: "button",
        class: "pin",
        "aria-pressed": String(pinned),
        "aria-label": `Baseline: ${one.name}`,
        text: "Δ",
        title: pinned ? "Unpin: show numbers as they are" : "Read every number as its difference to this row",
        click: () => pin(one.key),
      }),
    );
    if (one.kind === "group") {
      const open = state.list("open").includes(one.key);
      box.append(
        el("button", {
          type: "button",
          class: "open",
          "aria-expanded": String(open),
          "aria-label": `Single runs of ${one.name}`,
          text: open ? "▾" : "▸",
          click: () => again(() => state.toggle("open", one.key), `[data-key="${one.key}"] .open`),
        }),
      );
    } else if (!state.values.flat && level === 0 && model.groupRows.some((other) => other.kind === "group")) {
      box.append(el("span", { class: "open" }));
    }
    box.append(colours.swatch(one));
    if (one.kind === "run") {
      box.append(
        el("button", {
          type: "button",
          class: "link clip",
          text: one.name,
          title: `${one.runs[0].folder ?? one.name}: configuration and command`,
          click: () => state.set({ run: one.runs[0].id }),
        }),
      );
    } else {
      box.append(el("span", { class: "clip", text: one.name, title: one.name }));
    }
    if (one.kind === "group") box.append(el("span", { class: "count", text: plural(one.runs.length, "run") }));
    if (pinned) box.append(el("span", { class: "pinned", text: "baseline" }));
    cell.append(box);
    return cell;
  }

  function pin(key) {
    again(() => state.set({ base: state.values.base === key ? "" : key }), `[data-key="${key}"] .pin`);
  }

  /** Change something that draws the table anew, and keep the focus. */
  function again(change, selector) {
    change();
    byId("table-box").querySelector(selector)?.focus();
  }

  function body(columns, at) {
    const base = model.rows.get(state.values.base) ?? null;
    const { tops, below } = chosen(at);
    const line = (one, level) => {
      const classes = [one.kind, level ? "below" : "", base?.key === one.key ? "base" : ""].join(" ");
      const cells_ = columns.map((column) => cells.cell(one, column, at, base));
      return el(
        "tr",
        { class: classes, "data-key": one.key },
        nameCell(one, level),
        one.kind === "bicubic" ? el("td") : cells.state(one),
        ...cells_,
      );
    };
    const rows = sorted(tops, at).flatMap((one) => [
      line(one, 0),
      ...sorted(below.get(one.key) ?? [], at).map((each) => line(each, 1)),
    ]);
    return el("tbody", {}, ...rows, ...(tops.length ? model.bicubicRows.map((one) => line(one, 0)) : []));
  }

  function draw() {
    const at = state.values.at;
    const { tops, filter } = chosen(at);
    const box = byId("table-box");
    const { scrollLeft, scrollTop } = box;
    if (!model.runs.length) box.replaceChildren(el("p", { class: "empty", text: "No run is in this report." }));
    else if (!tops.length)
      box.replaceChildren(
        el(
          "p",
          { class: "empty" },
          "No run passes this filter. ",
          el("button", { type: "button", text: "Clear it", click: () => clear() }),
        ),
      );
    else {
      const columns = visible(tops, at);
      box.replaceChildren(
        el(
          "table",
          { class: "runs" },
          el("caption", { class: "unseen", text: "Runs and what they reached" }),
          head(columns),
          body(columns, at),
        ),
      );
      box.scrollTo(scrollLeft, scrollTop);
    }
    note(tops, filter);
  }

  function note(tops, filter) {
    const count = tops.reduce((sum, one) => sum + one.runs.length, 0);
    const base = model.rows.get(state.values.base);
    const parts = [];
    if (filter.problem) parts.push(filter.problem);
    if (filter.any) parts.push(`${count} of ${plural(model.runs.length, "run")}.`);
    if (base) {
      parts.push(`Numbers are differences to ${base.name}; ▲ better, ▼ worse.`);
      if (base.on !== null && tops.some((one) => !model.comparable(one, base)))
        parts.push("– is not compared: validated on other pictures, at another scale, or not at all.");
      if (model.report.comparisons?.length && state.values.at === "best")
        parts.push("What is larger than chance is said of final values.");
    }
    byId("table-note").textContent = parts.join(" ");
    byId("unpin").hidden = !base;
  }

  function clear() {
    byId("filter").value = "";
    state.set({ filter: "" });
    byId("filter").focus();
  }

  function controls() {
    const input = el("input", {
      type: "search",
      id: "filter",
      value: state.values.filter,
      placeholder: "text or key=value",
      autocomplete: "off",
      spellcheck: "false",
      title: "Words that a run holds, and key=value, key!=value, key<value, key>value of any column",
      input: (event) => state.set({ filter: event.target.value }, { later: true }),
    });
    const grouped = model.groupRows.some((one) => one.kind === "group");
    byId("table-controls").append(
      el("label", { class: "field grow" }, el("span", { text: "Filter" }), input),
      segments(
        "Values",
        [
          ["final", "Final", "of the last validation (b)"],
          ["best", "Best", "of the best validation (b)"],
        ],
        state.values.at,
        (at) => state.set({ at }),
      ),
      ...(model.settingNames.length
        ? [tick("Only what differs", !state.values.all, (on) => state.set({ all: on ? "" : "1" }), { id: "differs" })]
        : []),
      ...(grouped
        ? [tick("Group seeds", !state.values.flat, (on) => state.set({ flat: on ? "" : "1" }), { id: "grouped" })]
        : []),
      el("button", {
        type: "button",
        id: "unpin",
        text: "Unpin the baseline",
        hidden: true,
        click: () => state.set({ base: "" }),
      }),
    );
  }

  /** Up and down go from name to name. */
  function move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest?.("tr[data-key]");
    if (!step || !row) return;
    const stops = [...row.parentElement.querySelectorAll("tr")].map(
      (each) => each.querySelector("th .link") ?? each.querySelector("th button"),
    );
    const next = stops[[...row.parentElement.children].indexOf(row) + step];
    if (next) next.focus();
    event.preventDefault();
  }

  function start() {
    controls();
    draw();
    byId("table-box").addEventListener("keydown", move);
    state.on(["at", "sort", "filter", "all", "flat", "base", "open", "by"], draw);
    state.on(["at", "all", "flat", "filter"], follow);
  }

  /** What was changed elsewhere, by a key or the address, is shown by the controls. */
  function follow() {
    press(byId("table-controls"), state.values.at);
    if (byId("filter").value !== state.values.filter) byId("filter").value = state.values.filter;
    if (byId("differs")) byId("differs").checked = !state.values.all;
    if (byId("grouped")) byId("grouped").checked = !state.values.flat;
  }

  return { start };
})();
