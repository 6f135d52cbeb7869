"use strict";
/* What the stage shows: the two sides, opened, drawn, labelled, and how far they lie apart. */
SR.viewer = (() => {
  const { el, byId, segments, press, fixed } = SR.base;
  const { state, sides, pictures, maths, stage } = SR;
  const { mode } = stage;
  const ERRORS = [
    ["|A − HR|", "a", "hr"],
    ["|B − HR|", "b", "hr"],
    ["|A − B|", "a", "b"],
  ];
  const maps = new Map();
  let loaded = {};
  let turn = 0;
  let flickered = false;

  /** What a pane shows: [[picture or message, from, to]] in shares of its width. */
  function layers(index) {
    const { a, b } = loaded;
    if (mode() === "slider")
      return [
        [a, 0, stage.slide()],
        [b, stage.slide(), 1],
      ];
    if (mode() === "flicker") return [[flickered ? b : a, 0, 1]];
    if (mode() === "side") return [[index ? b : a, 0, 1]];
    return [[errorMap(loaded[ERRORS[index][1]], loaded[ERRORS[index][2]]), 0, 1]];
  }

  function draw() {
    stage.align();
    stage.panes().forEach((pane, index) => {
      const { canvas } = pane;
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, canvas.height);
      const problems = [];
      for (const [what, from, to] of layers(index)) {
        if (what?.problem) problems.push(what.problem);
        if (!what?.canvas) continue;
        context.save();
        context.beginPath();
        context.rect(
          Math.round(from * canvas.width),
          0,
          Math.round(to * canvas.width) - Math.round(from * canvas.width),
          canvas.height,
        );
        context.clip();
        stage.paint(context, what);
        context.restore();
      }
      stage.outline(context);
      pane.problem.textContent = problems.join(" ");
      pane.problem.hidden = !problems.length;
      label(pane, index);
    });
    if (byId("handle")) {
      byId("handle").style.left = `${(stage.slide() * stage.room().width) / stage.ratio()}px`;
      byId("handle").setAttribute("aria-valuenow", String(Math.round(100 * stage.slide())));
    }
    const { zoom } = stage.view();
    byId("zoom").textContent = zoom >= 1 ? `${zoom}:1` : `1:${fixed(1 / zoom, (1 / zoom) % 1 ? 1 : 0)}`;
    byId("stage").classList.toggle("still", state.values.zoom === "");
  }

  function label(pane, index) {
    const [a, b] = [`A: ${named("a")}`, `B: ${named("b")}`];
    if (mode() === "errors") {
      const [text, one, other] = ERRORS[index];
      const far = difference(loaded[one], loaded[other]);
      pane.left.textContent = far === null ? text : `${text}  RMSE ${fixed(far, 2)}`;
    } else pane.left.textContent = mode() === "side" ? (index ? b : a) : mode() === "flicker" && flickered ? b : a;
    pane.right.textContent = mode() === "slider" ? b : "";
    const first =
      mode() === "errors"
        ? ""
        : colour((mode() === "side" && index) || (mode() === "flicker" && flickered) ? "b" : "a");
    pane.left.style.borderLeftColor = first;
    pane.right.style.borderLeftColor = colour("b");
  }

  /** The colour that a side's run has in the table and the curves. */
  function colour(side) {
    const key = sides.key(side);
    const row = sides.isRun(key) ? SR.model.runRows.get(Number(key.slice(1))) : null;
    return (row && SR.colours.style(row)?.variable) ?? "transparent";
  }

  function named(side) {
    const shown = sides.picture();
    const list = sides.steps(shown, sides.key(side));
    const step = sides.step(shown, side);
    return (
      sides.name(sides.key(side)) +
      (list.length && step < list.length - 1 ? ` at ${fixed(list[step][0], 0)} updates` : "")
    );
  }

  function difference(one, other) {
    if (!one?.canvas || !other?.canvas) return null;
    return kept(`rmse ${one.id} ${other.id}`, () => maths.rmse(...pictures.both(one, other)));
  }

  function errorMap(one, other) {
    if (!one?.canvas || !other?.canvas) return { problem: [one?.problem, other?.problem].filter(Boolean)[0] };
    const gain = SR.compare.gain();
    return kept(`map ${one.id} ${other.id} ${gain}`, () => {
      const [p, q] = pictures.both(one, other);
      return SR.compare.coloured(maths.errors(p, q), p.width, p.height, gain);
    });
  }

  function kept(key, make) {
    if (!maps.has(key)) maps.set(key, make());
    const found = maps.get(key);
    if (maps.size > 12) maps.delete(maps.keys().next().value);
    return found;
  }

  /** Open what is to be seen; whoever is late is not shown. */
  async function open() {
    const mine = ++turn;
    const shown = sides.picture();
    const wanted = { a: sides.key("a"), b: sides.key("b"), ...(mode() === "errors" ? { hr: "hr" } : {}) };
    byId("stage").setAttribute("aria-busy", "true");
    const found = await Promise.all(
      Object.entries(wanted).map(async ([side, key]) => {
        try {
          const picture = await sides.open(shown, key, side === "hr" ? null : side);
          return [
            side,
            {
              ...picture,
              source: picture,
              id: sides.hashOf(shown, key, side === "hr" ? null : side) + (key === "lr" ? "*" : ""),
            },
          ];
        } catch (error) {
          return [side, { problem: error.message }];
        }
      }),
    );
    if (mine !== turn) return;
    loaded = Object.fromEntries(found);
    byId("stage").removeAttribute("aria-busy");
    draw();
    SR.compare.draw();
  }

  /** Other side in the same place; leaves the other ways of looking. */
  function flicker(on = !flickered) {
    flickered = on;
    if (mode() !== "flicker") state.set({ mode: "flicker" });
    else draw();
    byId("readout").textContent = `${flickered ? "B" : "A"} is shown: ${named(flickered ? "b" : "a")}`;
  }

  function controls() {
    const button = (id, text, title, act) =>
      el("button", { type: "button", id, text, title, "aria-label": title, click: act });
    byId("view-controls").append(
      segments("Way of looking", stage.MODES, mode(), (one) => state.set({ mode: one })),
      el(
        "span",
        { class: "together" },
        button("zoom-out", "−", "Smaller (-)", () => stage.zoomBy(-1)),
        el("output", { id: "zoom", "aria-label": "Screen pixels per picture pixel" }),
        button("zoom-in", "+", "Larger (+)", () => stage.zoomBy(1)),
        button("zoom-fit", "Whole", "The whole picture (0)", stage.whole),
      ),
      button("flick", "Flicker", "Show the other side (f)", () => flicker()),
    );
    byId("flick").hidden = mode() !== "flicker";
  }

  function start() {
    controls();
    stage.build();
    new ResizeObserver(() => {
      stage.measure();
      draw();
    }).observe(byId("stage"));
    new ResizeObserver(draw).observe(document.body);
    state.on(["pic"], stage.build);
    state.on(["mode"], () => {
      press(byId("view-controls"), mode());
      byId("flick").hidden = mode() !== "flicker";
      stage.build();
    });
    state.on(["pic", "a", "b", "ha", "hb", "mode"], open);
    state.on(["zoom", "cx", "cy", "slide", "gain", "mark", "mode", "by"], draw);
    new IntersectionObserver(
      (seen, watch) => {
        if (seen.some((one) => one.isIntersecting)) {
          watch.disconnect();
          open();
        }
      },
      { rootMargin: "300px" },
    ).observe(byId("stage"));
    draw();
  }

  return { start, draw, flicker, loaded: () => loaded };
})();
