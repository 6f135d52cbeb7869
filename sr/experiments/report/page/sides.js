"use strict";
/* Which picture is looked at, and what stands on its two sides, a and b. */
SR.sides = (() => {
  const { el, byId, chooser, isNumber } = SR.base;
  const { model, state } = SR;
  const FIXED = { lr: "LR (nearest neighbour)", bicubic: "bicubic", hr: "HR (the truth)" };
  const OF_SIDES = { lr: "input", bicubic: "untranslated", hr: "counterpart (the truth)" };
  const enlarged = new WeakMap();

  const picture = () => model.pictures.find((one) => String(one.id) === state.values.pic) ?? model.pictures[0];
  const entry = (shown, key) => shown.runs?.[key.slice(1)] ?? null;
  const keysOf = (shown) => [
    ...Object.keys(FIXED).filter((key) => shown[key]),
    ...runsOf(shown).map((run) => `r${run.id}`),
    ...runsOf(shown)
      .filter((run) => shown.runs[run.id].back)
      .map((run) => `k${run.id}`),
  ];
  const runsOf = (shown) => model.runs.filter((run) => shown.runs?.[run.id]);
  const isRun = (key) => /^r\d+$/.test(key);
  /** What a network that translates makes of its own result again. */
  const isBack = (key) => /^k\d+$/.test(key);

  /** The side's key: what was chosen if there is such a thing at all, else bicubic against the best run. */
  function key(side) {
    const chosen = state.values[side];
    if (chosen in FIXED || ((isRun(chosen) || isBack(chosen)) && model.byId.has(Number(chosen.slice(1))))) return chosen;
    const there = keysOf(picture());
    const runs = there.filter(isRun);
    if (side === "a")
      return there.includes("bicubic") ? "bicubic" : (there.find((one) => one !== bestOf(runs)) ?? "bicubic");
    return bestOf(runs) ?? (there.includes("hr") ? "hr" : (there[1] ?? "hr"));
  }

  function bestOf(keys) {
    const metric = model.metrics.find((one) => one.better);
    if (!metric) return keys[0];
    const value = (one) => {
      const found = entry(picture(), one)?.metrics?.[metric.name];
      return isNumber(found) ? found * metric.better : -Infinity;
    };
    return keys.reduce((best, one) => (best === undefined || value(one) > value(best) ? one : best), undefined);
  }

  function name(one) {
    const run = model.byId.get(Number(one.slice(1)))?.name ?? one;
    const fixed = model.isTranslated(picture()?.on) ? OF_SIDES : FIXED;
    return fixed[one] ?? (isBack(one) ? `${run}, and back` : run);
  }

  /** Pictures of a run over its updates, the last of them what it ended with: [[updates, hash], …]. */
  function steps(shown, one) {
    const found = isRun(one) ? entry(shown, one) : null;
    if (!found) return [];
    const list = [...(found.history ?? [])].sort((a, b) => a[0] - b[0]);
    if (found.sr && list.at(-1)?.[1] !== found.sr) list.push([found.updates, found.sr]);
    return list;
  }

  /** Index into steps() of what is shown; the last where nothing else was chosen. */
  function step(shown, side) {
    const list = steps(shown, key(side));
    const wanted = state.values[side === "a" ? "ha" : "hb"];
    const found = wanted === "" ? -1 : list.findIndex(([updates]) => String(updates) === wanted);
    return found < 0 ? list.length - 1 : found;
  }

  /** Hash of what a side shows; null where the picture has no such side. */
  function hashOf(shown, one, side) {
    if (isBack(one)) return entry(shown, one)?.back ?? null;
    if (!isRun(one)) return shown[one] ?? null;
    const list = steps(shown, one);
    return (side ? list[step(shown, side)] : list.at(-1))?.[1] ?? null;
  }

  /** A picture in the size of HR: LR is enlarged by nearest neighbour. The promise fails with a sentence. */
  async function open(shown, one, side) {
    const hash = hashOf(shown, one, side);
    if (!hash) throw new Error(`${name(one)}: there is none of ${shown.name}.`);
    const found = await SR.pictures.get(hash);
    const scale = one === "lr" ? (shown.scale ?? 1) : 1;
    if (scale === 1) return found;
    if (!enlarged.has(found)) enlarged.set(found, SR.pictures.enlarged(found, scale));
    return enlarged.get(found);
  }

  const metricsOf = (shown, one) =>
    one === "bicubic" ? (shown.bicubic_metrics ?? {}) : isRun(one) ? (entry(shown, one)?.metrics ?? {}) : {};

  function title(shown) {
    const many = new Set(model.pictures.map((one) => one.scale)).size > 1;
    return `${shown.set ? `${shown.set} / ` : ""}${shown.name}${many ? ` ×${shown.scale}` : ""}`;
  }

  /** Another picture; the sides stay, the place in it does not. */
  function choose(id) {
    state.set({ pic: id, zoom: "", cx: "", cy: "", mark: "", ha: "", hb: "" });
  }

  function next(by) {
    const index = model.pictures.indexOf(picture());
    choose(model.pictures[(index + by + model.pictures.length) % model.pictures.length].id);
  }

  function swap() {
    const { ha, hb } = state.values;
    state.set({ a: key("b"), b: key("a"), ha: hb, hb: ha });
  }

  function controls() {
    const shown = picture();
    const held = document.activeElement?.id;
    const here = new Set(keysOf(shown));
    const options = (side) =>
      [
        ["Given", Object.keys(FIXED).map((one) => [one, here.has(one) ? name(one) : `${name(one)}: not kept`])],
        [
          "Runs",
          model.runs
            .filter((run) => here.has(`r${run.id}`) || key(side) === `r${run.id}`)
            .map((run) => [`r${run.id}`, here.has(`r${run.id}`) ? run.name : `${run.name}: none of this picture`]),
        ],
        ["And back", [...here].filter(isBack).map((one) => [one, name(one)])],
      ].filter(([, list]) => list.length);
    const index = model.pictures.indexOf(shown);
    byId("picture-controls").replaceChildren(
      el(
        "span",
        { class: "together" },
        chooser(
          `Picture ${index + 1} of ${model.pictures.length}`,
          model.pictures.map((one) => [String(one.id), title(one)]),
          String(shown.id),
          choose,
          { id: "picture" },
        ),
        el("button", {
          type: "button",
          id: "before",
          text: "‹",
          title: "The picture before (,)",
          "aria-label": "The picture before",
          click: () => next(-1),
        }),
        el("button", {
          type: "button",
          id: "after",
          text: "›",
          title: "The next picture (.)",
          "aria-label": "The next picture",
          click: () => next(1),
        }),
      ),
      el(
        "span",
        { class: "together" },
        chooser("A, left", options("a"), key("a"), (one) => state.set({ a: one, ha: "" }), { id: "side-a" }),
        el("button", {
          type: "button",
          id: "swap",
          text: "⇄",
          title: "Swap A and B (x)",
          "aria-label": "Swap A and B",
          click: swap,
        }),
      ),
      chooser("B, right", options("b"), key("b"), (one) => state.set({ b: one, hb: "" }), { id: "side-b" }),
    );
    if (held) byId(held)?.focus();
  }

  function start() {
    controls();
    state.on(["pic", "a", "b"], controls);
  }

  return {
    start,
    picture,
    key,
    name,
    keysOf,
    runsOf,
    isRun,
    entry,
    steps,
    step,
    hashOf,
    open,
    metricsOf,
    title,
    choose,
    next,
    swap,
  };
})();
