"use strict";
/* The stage: one, two or three panes that show the same part of a picture, in whole pixels of the screen. */
SR.stage = (() => {
  const { el, byId } = SR.base;
  const { state, sides } = SR;
  const MODES = [
    ["slider", "Slider", "Drag the line (s)"],
    ["flicker", "Flicker", "A and B in one place; F changes (f)"],
    ["side", "Side by side", "Two panes that move together (d)"],
    ["errors", "Errors", "How far A, B and the truth lie apart (e)"],
  ];
  const LEVELS = [1 / 16, 1 / 12, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
  let panes = [];

  const ratio = () => window.devicePixelRatio || 1;
  const mode = () => (MODES.some(([one]) => one === state.values.mode) ? state.values.mode : "slider");

  /** Share of the width that is A's in the slider. */
  const slide = () => Math.min(100, Math.max(0, Number(state.values.slide) || 0)) / 100;

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

  /** Draw a picture where it lies; enlarged pixels are blocks, never smoothed. */
  function paint(context, picture) {
    const { zoom, x, y } = corner();
    const { width, height } = context.canvas;
    context.imageSmoothingEnabled = zoom < 1;
    context.imageSmoothingQuality = "high";
    if (zoom < 1) {
      context.drawImage(picture.canvas, x, y, Math.round(picture.width * zoom), Math.round(picture.height * zoom));
      return;
    }
    const left = Math.max(0, Math.floor(-x / zoom));
    const top = Math.max(0, Math.floor(-y / zoom));
    const w = Math.min(picture.width, Math.ceil((width - x) / zoom)) - left;
    const h = Math.min(picture.height, Math.ceil((height - y) / zoom)) - top;
    if (w > 0 && h > 0)
      context.drawImage(picture.canvas, left, top, w, h, x + left * zoom, y + top * zoom, w * zoom, h * zoom);
  }

  /** The window that "differ most" found, outlined around its pixels. */
  function outline(context) {
    const mark = state.values.mark.split(" ").map(Number);
    if (mark.length !== 4 || !mark.every(Number.isFinite)) return;
    const { zoom, x, y } = corner();
    const line = Math.max(1, Math.round(ratio()));
    context.lineWidth = line;
    for (const [far, colour] of [
      [line / 2, "#fff"],
      [line * 1.5, "#000"],
    ]) {
      context.strokeStyle = colour;
      context.strokeRect(
        x + mark[0] * zoom - far,
        y + mark[1] * zoom - far,
        mark[2] * zoom + 2 * far,
        mark[3] * zoom + 2 * far,
      );
    }
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

  /** Lay canvases on whole pixels of the screen: between two of them the browser would resample. */
  function align() {
    for (const { canvas, box } of panes) {
      const { left, top } = box.getBoundingClientRect();
      const shift = (place) => wholeLength(Math.ceil(place - 0.02), 1) - place;
      canvas.style.left = `${shift(left + scrollX)}px`;
      canvas.style.top = `${shift(top + scrollY)}px`;
    }
  }

  /** Panes for the way of looking. */
  function build() {
    const count = { side: 2, errors: 3 }[mode()] ?? 1;
    panes = Array.from({ length: count }, () => {
      const pane = {
        canvas: el("canvas", {}),
        left: el("span", { class: "label left" }),
        right: el("span", { class: "label right" }),
        problem: el("p", { class: "problem", hidden: true }),
      };
      pane.box = el("div", { class: "pane" }, pane.canvas, pane.left, pane.right, pane.problem);
      return pane;
    });
    const handle =
      mode() === "slider"
        ? el("div", {
            id: "handle",
            class: "handle",
            role: "slider",
            tabindex: "0",
            "aria-label": "Border between A and B",
            "aria-valuemin": "0",
            "aria-valuemax": "100",
          })
        : null;
    if (handle) panes[0].box.append(handle);
    byId("stage").className = `stage ${mode()}`;
    byId("stage").style.setProperty("--shape", String(size().width / size().height));
    byId("stage").replaceChildren(...panes.map((pane) => pane.box));
    measure();
  }

  /** Zoom to another level; the point of the picture under (x, y), in screen pixels of a pane, stays there. */
  function zoomTo(zoom, x = room().width / 2, y = room().height / 2) {
    const before = view();
    const whole = zoom >= 1 ? Math.round(zoom) : zoom;
    const held = (place, middle, extent) => middle + (place - extent / 2) * (1 / before.zoom - 1 / whole);
    go(whole, held(x, before.cx, room().width), held(y, before.cy, room().height));
  }

  /** Show another part; the middle stays within the picture. */
  function go(zoom, cx, cy) {
    const within = (value, most) => String(Math.round(100 * Math.min(most, Math.max(0, value))) / 100);
    state.set({ zoom, cx: within(cx, size().width), cy: within(cy, size().height) }, { later: true });
  }

  /** The next level up (steps > 0) or down. */
  function zoomBy(steps, x, y) {
    const { zoom } = view();
    const next =
      steps > 0 ? LEVELS.find((level) => level > zoom * 1.001) : LEVELS.findLast((level) => level < zoom / 1.001);
    if (next) zoomTo(next, x, y);
  }

  /** Move by screen pixels. */
  function pan(dx, dy) {
    const { zoom, cx, cy } = view();
    go(zoom, cx - dx / zoom, cy - dy / zoom);
  }

  const whole = () => state.set({ zoom: "", cx: "", cy: "", mark: "" });

  /** The pixel of the picture under a place of a pane; null beside it. */
  function pixelAt(x, y) {
    const at = corner();
    const pixel = { x: Math.floor((x - at.x) / at.zoom), y: Math.floor((y - at.y) / at.zoom) };
    return pixel.x >= 0 && pixel.y >= 0 && pixel.x < size().width && pixel.y < size().height ? pixel : null;
  }

  return {
    MODES,
    LEVELS,
    panes: () => panes,
    ratio,
    mode,
    slide,
    room,
    view,
    corner,
    paint,
    outline,
    measure,
    align,
    build,
    zoomTo,
    zoomBy,
    pan,
    whole,
    pixelAt,
  };
})();
