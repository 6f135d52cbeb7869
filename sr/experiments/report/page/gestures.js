"use strict";
/* Wheel, fingers, mouse and arrows on the stage. */
SR.gestures = (() => {
  const { byId } = SR.base;
  const { state, stage, viewer, pictures } = SR;
  const pointers = new Map();
  let sliding = false;
  let pinch = null;
  let turned = 0;

  /** Place of an event in screen pixels of its pane. */
  function place(event) {
    const box = (
      event.target.closest(".pane")?.querySelector("canvas") ?? byId("stage").querySelector("canvas")
    ).getBoundingClientRect();
    return {
      x: (event.clientX - box.left) * stage.ratio(),
      y: (event.clientY - box.top) * stage.ratio(),
      share: (event.clientX - box.left) / box.width,
      width: box.width,
    };
  }

  const slideTo = (share) =>
    state.set({ slide: Math.round(1000 * Math.min(1, Math.max(0, share))) / 10 }, { later: true });

  function down(event) {
    if (event.button !== 0 || event.target.closest("a, button")) return;
    const at = place(event);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    byId("stage").setPointerCapture(event.pointerId);
    const near = event.target.id === "handle" || Math.abs(at.share - stage.slide()) * at.width < 14;
    sliding = stage.mode() === "slider" && pointers.size === 1 && (near || state.values.zoom === "");
    if (sliding && event.target.id !== "handle") slideTo(at.share);
    if (pointers.size === 2) pinch = { far: spread(), zoom: stage.view().zoom };
    if (event.pointerType === "mouse") event.preventDefault();
    (event.target.id === "handle" ? event.target : byId("stage")).focus({ preventScroll: true });
  }

  function spread() {
    const [one, other] = [...pointers.values()];
    return Math.hypot(one.x - other.x, one.y - other.y) || 1;
  }

  function move(event) {
    const before = pointers.get(event.pointerId);
    if (!before) {
      readout(event);
      return;
    }
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.size === 2) {
      pinched();
      return;
    }
    if (sliding) {
      const box = byId("stage").querySelector("canvas").getBoundingClientRect();
      slideTo((event.clientX - box.left) / box.width);
    } else stage.pan((event.clientX - before.x) * stage.ratio(), (event.clientY - before.y) * stage.ratio());
  }

  /** The level nearest to what two fingers ask for, about the point between them. */
  function pinched() {
    const wanted = pinch.zoom * (spread() / pinch.far);
    const level = stage.LEVELS.reduce((best, one) =>
      Math.abs(Math.log(one / wanted)) < Math.abs(Math.log(best / wanted)) ? one : best,
    );
    if (level === stage.view().zoom) return;
    const [one, other] = [...pointers.values()];
    const box = byId("stage").querySelector("canvas").getBoundingClientRect();
    stage.zoomTo(
      level,
      ((one.x + other.x) / 2 - box.left) * stage.ratio(),
      ((one.y + other.y) / 2 - box.top) * stage.ratio(),
    );
  }

  function up(event) {
    pointers.delete(event.pointerId);
    pinch = null;
    if (!pointers.size) sliding = false;
  }

  function wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 33 : 1;
    turned += event.deltaY * lines;
    if (Math.abs(turned) < 50) return;
    const at = place(event);
    stage.zoomBy(turned < 0 ? 1 : -1, at.x, at.y);
    turned = 0;
  }

  /** Colours under the pointer, as the pictures have them. */
  function readout(event) {
    if (!event.target.closest(".pane")) return;
    const at = place(event);
    const pixel = stage.pixelAt(at.x, at.y);
    if (!pixel) {
      byId("readout").textContent = "";
      return;
    }
    const colour = (one) => {
      if (!one?.canvas || pixel.x >= one.width || pixel.y >= one.height) return null;
      const { data, width } = pictures.pixels(one.source);
      const start = 4 * (pixel.y * width + pixel.x);
      return [...data.slice(start, start + 3)];
    };
    const { a, b } = viewer.loaded();
    const [p, q] = [colour(a), colour(b)];
    const apart = p && q ? p.reduce((sum, value, index) => sum + Math.abs(value - q[index]), 0) / 3 : null;
    byId("readout").textContent = [
      `x ${pixel.x}, y ${pixel.y}`,
      p ? `A ${p.join(" ")}` : "",
      q ? `B ${q.join(" ")}` : "",
      apart === null ? "" : `|A − B| ${SR.base.fixed(apart, 1)}`,
    ]
      .filter(Boolean)
      .join("  ·  ");
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [dx, dy] = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [
      0, 0,
    ];
    const onHandle = event.target.id === "handle" || (event.shiftKey && stage.mode() === "slider");
    const ends = { Home: 0, End: 1 }[event.key];
    if (onHandle && dx) slideTo(stage.slide() - dx * 0.02);
    else if (onHandle && ends !== undefined) slideTo(ends);
    else if (dx || dy) {
      const step = Math.max(stage.view().zoom, Math.round(stage.room().width / 16));
      stage.pan(dx * step, dy * step);
    } else return;
    event.preventDefault();
  }

  function start() {
    const box = byId("stage");
    box.addEventListener("pointerdown", down);
    box.addEventListener("pointermove", move);
    box.addEventListener("pointerup", up);
    box.addEventListener("pointercancel", up);
    box.addEventListener("wheel", wheel, { passive: false });
    box.addEventListener("keydown", keys);
  }

  return { start };
})();
