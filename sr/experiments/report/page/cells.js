"use strict";
/* Cells of the table of runs: numbers, differences to the baseline, states. */
SR.cells = (() => {
  const { el, fixed, signed, duration, isNumber, plural } = SR.base;
  const { model } = SR;
  const SIGNS = {
    finished: "✓",
    running: "▸",
    interrupted: "‖",
    "cut off": "✂\uFE0E",
    exploded: "✷",
    failed: "✕",
    foreign: "?",
  };

  const shown = (column, value) => (column.time ? duration(value) : fixed(value, column.digits ?? 2));
  const change = (column, value) =>
    column.time ? (value > 0 ? "+" : "") + duration(value) : signed(value, column.digits ?? 2);

  /** A number as it is: mean ± deviation where several runs have one. */
  function absolute(one, column, at) {
    const { mean, sd, n } = model.number(one, column, at);
    const cell = el("td", { class: "number" }, shown(column, mean));
    if (isNumber(sd) && column.kind === "metric") {
      cell.append(el("span", { class: "sd", text: ` ±${shown(column, sd)}` }));
      cell.title = `mean ± sample standard deviation of ${plural(n, "run")}`;
    }
    if (one.kind === "group" && isNumber(mean) && n < one.runs.length) {
      const told = `${n} of ${plural(one.runs.length, "run")}`;
      if (column.kind === "metric") cell.append(el("span", { class: "sd", text: ` (${n} of ${one.runs.length})` }));
      else cell.title = `mean of ${told}`;
    }
    return cell;
  }

  /** Better, worse or the same: an arrow, a word and a class. */
  function verdict(column, difference) {
    if (!column.better || Number(difference.toFixed(column.digits ?? 2)) === 0)
      return { arrow: "", word: "", name: "same" };
    return difference * column.better > 0
      ? { arrow: "▲", word: "better", name: "better" }
      : { arrow: "▼", word: "worse", name: "worse" };
  }

  /** Why two rows are not compared. */
  function why(one, base) {
    if (one.on === null) return "Not compared: there is no validation of it";
    const [scale, other] = [model.scaleOf(one), model.scaleOf(base)];
    if (scale !== other) return `Not compared: at scale ${scale}, the baseline ${base.name} at ${other}`;
    return `Not compared: validated on other pictures than the baseline ${base.name}`;
  }

  /** A number as its difference to the baseline's. */
  function difference(one, column, at, base) {
    if (column.kind === "metric" && !model.comparable(one, base)) {
      return el(
        "td",
        { class: "number none", title: why(one, base) },
        "–",
        el("span", { class: "unseen", text: " not compared" }),
      );
    }
    const own = model.number(one, column, at);
    const theirs = model.number(base, column, at);
    if (!isNumber(own.mean) || !isNumber(theirs.mean)) {
      const who = isNumber(own.mean) ? `the baseline ${base.name}` : one.name;
      return el("td", { class: "number none", title: `${who} has no ${column.label}` }, "–");
    }
    const delta = own.mean - theirs.mean;
    const { arrow, word, name } = verdict(column, delta);
    const cell = el(
      "td",
      { class: `number ${name}`, title: `${shown(column, own.mean)} against ${shown(column, theirs.mean)}` },
      change(column, delta),
    );
    if (column.better)
      cell.append(
        el("span", { class: "arrow", "aria-hidden": "true", text: arrow }),
        el("span", { class: "unseen", text: ` ${word}` }),
      );
    const words = column.kind === "metric" && at === "final" && !one.part ? model.chance(one, base, column.name) : null;
    if (words) {
      const [middle, low, high] = [words.difference, words.low, words.high].map((one) => signed(one, column.digits));
      const title = `difference ${middle}, interval ${low} to ${high}`;
      cell.append(el("span", { class: "words", text: words.words, title }));
    }
    return cell;
  }

  /** Words instead of a measured number: a setting, a seed, a scale. */
  function plain(one, column) {
    const words = model.words(one, column);
    if (column.kind === "fact") return el("td", { class: "number", text: words || "–" });
    const title = words.length > 24 ? words : null;
    return el("td", { class: "setting", title }, el("span", { class: "clip", text: words || "–" }));
  }

  /** Bicubic has a scale and metrics, nothing else. */
  function ofBicubic(one, column, at, base) {
    if (column.id === "scale") return el("td", { class: "number", text: String(one.scale ?? "") });
    return column.kind === "metric" ? measured(one, column, at, base) : el("td");
  }

  function measured(one, column, at, base) {
    return base && base.key !== one.key ? difference(one, column, at, base) : absolute(one, column, at);
  }

  /** Any cell but the first two. */
  function cell(one, column, at, base) {
    if (one.kind === "bicubic") return ofBicubic(one, column, at, base);
    return column.kind === "setting" || column.kind === "fact" ? plain(one, column) : measured(one, column, at, base);
  }

  /** How a row's runs stand, with the sentence of the first that has one. */
  function state(one) {
    const box = el("td", { class: "state" });
    const counts = new Map();
    for (const run of one.runs) counts.set(run.state, (counts.get(run.state) ?? 0) + 1);
    for (const [word, count] of counts) {
      box.append(
        el(
          "span",
          { class: `badge ${word.replace(" ", "-")}` },
          el("span", { "aria-hidden": "true", text: `${SIGNS[word] ?? "·"} ` }),
          count === one.runs.length && count === 1 ? word : `${count} ${word}`,
        ),
      );
    }
    const sentences = one.runs.map((run) => run.sentence).filter(Boolean);
    if (sentences.length)
      box.append(el("span", { class: "sentence", text: sentences[0], title: sentences.join("\n") }));
    return box;
  }

  return { cell, state, verdict, shown, change };
})();
