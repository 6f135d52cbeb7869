"use strict";
/* The stage: one, two or three panes that show the same part of a picture, in whole pixels of the screen. */
SR.viewer = (() => {
  const { el, byId, segments, press, fixed } = SR.base;
  const { state, sides, pictures, maths } = SR;
  const LEVELS = [1 / 16, 1 / 12, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
  const MODES = [["slider", "Slider", "Drag the line (s)"], ["flicker", "Flicker", "A and B in one place; F changes (f)"],
    ["side", "Side by side", "Two panes that move together (d)"], ["errors", "Errors", "How far A, B and the truth lie apart (e)"]];
  const ERRORS = [["|A − HR|", "a", "hr"], ["|B − HR|", "b", "hr"], ["|A − B|", "a", "b"]];
  const maps = new Map();
  let panes = [];
  let loaded = {};
  let turn = 0;
  let flickered = false;

  const ratio = () => window.devicePixelRatio || 1;
  const mode = () => (MODES.some(([one]) => one === state.values.mode) ? state.values.mode : "slider");

  /** Size of a pane in pixels of the screen. */
  const room = () => ({ width: panes[0]?.canvas.width || 1, height: panes[0]?.canvas.height || 1 });
  const size = () => ({ width: sides.picture().width, height: sides.picture().height });

  /** The largest whole enlargement that shows all, or the reduction that does. */
  function fit() {
    const zoom = Math.min(room().width / size().width, room().height / size().height);
    return zoom >= 1 ? Math.floor(zoom) : zoom;
  }

  /** Screen pixels per pixel of HR, and the point of the picture in the middle of the pane. */
  function view() {
    const chosen = Number(state.values.zoom);
    const number = (text, other) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : other);
    const zoom = chosen > 0 && chosen <= 64 ? (chosen >= 1 ? Math.round(chosen) : chosen) : fit();
    return { zoom, cx: number(state.values.cx, size().width / 2), cy: number(state.values.cy, size().height / 2) };
  }

  /** Where the picture's corner lies in a pane. */
  function corner() {
    const { zoom, cx, cy } = view();
    return { zoom, x: Math.round(room().width / 2 - cx * zoom), y: Math.round(room().height / 2 - cy * zoom) };
  }

  function paint(context, picture) {
    const { zoom, x, y } = corner();
    const { width, height } = context.canvas;
    context.imageSmoothingEnabled = zoom < 1;
    context.imageSmoothingQuality = "high";
    if (zoom < 1) { context.drawImage(picture.canvas, x, y, Math.round(picture.width * zoom), Math.round(picture.height * zoom)); return; }
    const left = Math.max(0, Math.floor(-x / zoom));
    const top = Math.max(0, Math.floor(-y / zoom));
    const w = Math.min(picture.width, Math.ceil((width - x) / zoom)) - left;
    const h = Math.min(picture.height, Math.ceil((height - y) / zoom)) - top;
    if (w > 0 && h > 0) context.drawImage(picture.canvas, left, top, w, h, x + left * zoom, y + top * zoom, w * zoom, h * zoom);
  }

  /** The window that "differ most" found, outlined around its pixels. */
  function outline(context) {
    const mark = state.values.mark.split(" ").map(Number);
    if (mark.length !== 4 || !mark.every(Number.isFinite)) return;
    const { zoom, x, y } = corner();
    const line = Math.max(1, Math.round(ratio()));
    context.lineWidth = line;
    for (const [far, colour] of [[line / 2, "#fff"], [line * 1.5, "#000"]]) {
      context.strokeStyle = colour;
      context.strokeRect(x + mark[0] * zoom - far, y + mark[1] * zoom - far, mark[2] * zoom + 2 * far, mark[3] * zoom + 2 * far);
    }
  }

  /** What a pane shows: [[picture or message, from, to]] in shares of its width. */
  function layers(index) {
    const { a, b } = loaded;
    if (mode() === "slider") return [[a, 0, slide()], [b, slide(), 1]];
    if (mode() === "flicker") return [[flickered ? b : a, 0, 1]];
    if (mode() === "side") return [[index ? b : a, 0, 1]];
    return [[errorMap(loaded[ERRORS[index][1]], loaded[ERRORS[index][2]]), 0, 1]];
  }

  const slide = () => Math.min(100, Math.max(0, Number(state.values.slide) || 0)) / 100;

  /** Lay canvases on whole pixels of the screen: between two of them the browser would resample. */
  function align() {
    for (const { canvas, box } of panes) {
      const { left, top } = box.getBoundingClientRect();
      const shift = (place) => wholeLength(Math.ceil(place - 0.02), 1) - place;
      canvas.style.left = `${shift(left + scrollX)}px`;
      canvas.style.top = `${shift(top + scrollY)}px`;
    }
  }

  function draw() {
    align();
    panes.forEach((pane, index) => {
      const { canvas } = pane;
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, canvas.height);
      const problems = [];
      for (const [what, from, to] of layers(index)) {
        if (what?.problem) problems.push(what.problem);
        if (!what?.canvas) continue;
        context.save();
        context.beginPath();
        context.rect(Math.round(from * canvas.width), 0, Math.round(to * canvas.width) - Math.round(from * canvas.width), canvas.height);
        context.clip();
        paint(context, what);
        context.restore();
      }
      outline(context);
      pane.problem.textContent = problems.join(" ");
      pane.problem.hidden = !problems.length;
      label(pane, index);
    });
    if (byId("handle")) {
      byId("handle").style.left = `${slide() * room().width / ratio()}px`;
      byId("handle").setAttribute("aria-valuenow", String(Math.round(100 * slide())));
    }
    const { zoom } = view();
    byId("zoom").textContent = zoom >= 1 ? `${zoom}:1` : `1:${fixed(1 / zoom, 1 / zoom % 1 ? 1 : 0)}`;
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
    const first = mode() === "errors" ? "" : colour((mode() === "side" && index) || (mode() === "flicker" && flickered) ? "b" : "a");
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
    return sides.name(sides.key(side)) + (list.length && step < list.length - 1 ? ` at ${fixed(list[step][0], 0)} updates` : "");
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
    const found = await Promise.all(Object.entries(wanted).map(async ([side, key]) => {
      try {
        const picture = await sides.open(shown, key, side === "hr" ? null : side);
        return [side, { ...picture, source: picture, id: sides.hashOf(shown, key, side === "hr" ? null : side) + (key === "lr" ? "*" : "") }];
      } catch (error) {
        return [side, { problem: error.message }];
      }
    }));
    if (mine !== turn) return;
    loaded = Object.fromEntries(found);
    byId("stage").removeAttribute("aria-busy");
    draw();
    SR.compare.draw();
  }

  function build() {
    const count = { side: 2, errors: 3 }[mode()] ?? 1;
    panes = Array.from({ length: count }, () => {
      const pane = { canvas: el("canvas", {}), left: el("span", { class: "label left" }), right: el("span", { class: "label right" }), problem: el("p", { class: "problem", hidden: true }) };
      pane.box = el("div", { class: "pane" }, pane.canvas, pane.left, pane.right, pane.problem);
      return pane;
    });
    const handle = mode() === "slider" ? el("div", { id: "handle", class: "handle", role: "slider", tabindex: "0", "aria-label": "Border between A and B", "aria-valuemin": "0", "aria-valuemax": "100" }) : null;
    if (handle) panes[0].box.append(handle);
    byId("stage").className = `stage ${mode()}`;
    byId("stage").style.setProperty("--shape", String(size().width / size().height));
    byId("stage").replaceChildren(...panes.map((pane) => pane.box));
    measure();
  }

  /** The next length from `start` on, by `step`, that is whole in the page's pixels and in the screen's. */
  function wholeLength(start, step) {
    for (let length = start; Math.abs(length - start) < 64 && length > 0; length += step) {
      if (Math.abs(length * ratio() - Math.round(length * ratio())) < 1e-3) return length;
    }
    return start;
  }

  /** Canvases as large as their boxes. Had they broken sizes, the browser would resample them by a hair. */
  function measure() {
    for (const { canvas, box } of panes) {
      const [width, height] = [wholeLength(box.clientWidth, -1), wholeLength(box.clientHeight, -1)];
      canvas.width = Math.max(1, Math.round(width * ratio()));
      canvas.height = Math.max(1, Math.round(height * ratio()));
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
  }

  /** Zoom to another level; the point of the picture under (x, y), in screen pixels of a pane, stays there. */
  function zoomTo(zoom, x = room().width / 2, y = room().height / 2) {
    const before = view();
    const whole = zoom >= 1 ? Math.round(zoom) : zoom;
    const held = (place, middle, extent) => middle + (place - extent / 2) * (1 / before.zoom - 1 / whole);
    go(whole, held(x, before.cx, room().width), held(y, before.cy, room().height));
  }

  function go(zoom, cx, cy) {
    const within = (value, most) => String(Math.round(100 * Math.min(most, Math.max(0, value))) / 100);
    state.set({ zoom, cx: within(cx, size().width), cy: within(cy, size().height) }, { later: true });
  }

  function zoomBy(steps, x, y) {
    const { zoom } = view();
    const next = steps > 0 ? LEVELS.find((level) => level > zoom * 1.001) : LEVELS.findLast((level) => level < zoom / 1.001);
    if (next) zoomTo(next, x, y);
  }

  /** Move by screen pixels. */
  function pan(dx, dy) {
    const { zoom, cx, cy } = view();
    go(zoom, cx - dx / zoom, cy - dy / zoom);
  }

  const whole = () => state.set({ zoom: "", cx: "", cy: "", mark: "" });

  /** Other side in the same place; leaves the other ways of looking. */
  function flicker(on = !flickered) {
    flickered = on;
    if (mode() !== "flicker") state.set({ mode: "flicker" });
    else draw();
    byId("readout").textContent = `${flickered ? "B" : "A"} is shown: ${named(flickered ? "b" : "a")}`;
  }

  /** The pixel of the picture under a place of a pane; null beside it. */
  function pixelAt(x, y) {
    const at = corner();
    const pixel = { x: Math.floor((x - at.x) / at.zoom), y: Math.floor((y - at.y) / at.zoom) };
    return pixel.x >= 0 && pixel.y >= 0 && pixel.x < size().width && pixel.y < size().height ? pixel : null;
  }

  function controls() {
    const button = (id, text, title, act) => el("button", { type: "button", id, text, title, "aria-label": title, click: act });
    byId("view-controls").append(
      segments("Way of looking", MODES, mode(), (one) => state.set({ mode: one })),
      el("span", { class: "together" }, button("zoom-out", "−", "Smaller (-)", () => zoomBy(-1)), el("output", { id: "zoom", "aria-label": "Screen pixels per picture pixel" }),
        button("zoom-in", "+", "Larger (+)", () => zoomBy(1)), button("zoom-fit", "Whole", "The whole picture (0)", whole)),
      button("flick", "Flicker", "Show the other side (f)", () => flicker()));
    byId("flick").hidden = mode() !== "flicker";
  }

  function start() {
    controls();
    build();
    new ResizeObserver(() => { measure(); draw(); }).observe(byId("stage"));
    new ResizeObserver(draw).observe(document.body);
    state.on(["pic"], build);
    state.on(["mode"], () => { press(byId("view-controls"), mode()); byId("flick").hidden = mode() !== "flicker"; build(); });
    state.on(["pic", "a", "b", "ha", "hb", "mode"], open);
    state.on(["zoom", "cx", "cy", "slide", "gain", "mark", "mode", "by"], draw);
    new IntersectionObserver((seen, watch) => { if (seen.some((one) => one.isIntersecting)) { watch.disconnect(); open(); } }, { rootMargin: "300px" }).observe(byId("stage"));
    draw();
  }

  return { start, view, corner, room, ratio, slide, mode, draw, zoomTo, zoomBy, go, pan, whole, flicker, pixelAt, loaded: () => loaded, size, LEVELS };
})();
