"use strict";
/* Everything by keyboard, and the list of it. */
SR.keys = (() => {
  const { el, byId } = SR.base;
  const { state } = SR;
  const HOLD = 400; // milliseconds; a tap is shorter
  let pressed = null;

  const pictures = () => !byId("viewer").hidden;
  const jump = (id) => {
    byId(id).scrollIntoView({ block: "start" });
    byId(id).focus({ preventScroll: true });
  };
  const seen = () => byId("stage").scrollIntoView({ block: "nearest" });

  /** [key, group, what it does, act]; those that need pictures do nothing without. */
  const KEYS = [
    ["?", "Page", "this list", () => byId("key-dialog").showModal()],
    ["1", "Page", "to the runs", () => jump("runs")],
    ["2", "Page", "to the curves", () => jump("curves")],
    ["3", "Page", "to the pictures", () => jump("pictures")],
    ["t", "Page", "light, dark, or as the system", () => SR.page.nextTheme()],
    [
      "/",
      "Runs",
      "type a filter",
      () => {
        jump("runs");
        byId("filter").focus();
      },
    ],
    ["b", "Runs", "best or final values", () => state.set({ at: state.values.at === "best" ? "final" : "best" })],
    ["u", "Runs", "unpin the baseline", () => state.set({ base: "" })],
    ["l", "Curves", "logarithmic axis", () => state.set({ log: state.values.log ? "" : "1" })],
    [",", "Pictures", "the picture before", () => SR.sides.next(-1)],
    [".", "Pictures", "the next picture", () => SR.sides.next(1)],
    ["x", "Pictures", "swap A and B", () => SR.sides.swap()],
    ["s", "Pictures", "slider", () => state.set({ mode: "slider" })],
    ["d", "Pictures", "side by side", () => state.set({ mode: "side" })],
    ["e", "Pictures", "errors", () => state.set({ mode: "errors" })],
    [
      "m",
      "Pictures",
      "where A and B differ most",
      () => {
        seen();
        SR.compare.jump();
      },
    ],
    ["+", "Pictures", "larger", () => SR.stage.zoomBy(1)],
    ["-", "Pictures", "smaller", () => SR.stage.zoomBy(-1)],
    ["0", "Pictures", "the whole picture", () => SR.stage.whole()],
    ["p", "Pictures", "play the updates, or stop", () => SR.history.toggle()],
  ];
  const TOLD = [
    ["f", "Pictures", "flicker: tap to change sides, hold to look at the other", null],
    ["← → ↑ ↓", "Pictures", "move the picture (on the stage) or the slider (on its handle, or with Shift)", null],
    ["↑ ↓", "Runs", "from run to run, on their names; Enter opens one", null],
    ["Esc", "Page", "close what is open", null],
  ];

  const typing = (target) => target.closest("input:not([type=checkbox], [type=range]), select, textarea, dialog[open]");

  function down(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "f" && pictures()) {
      holdFlicker(event);
      return;
    }
    const found = KEYS.find(([one]) => one === (key === "=" ? "+" : key));
    if (!found || (found[1] === "Pictures" && !pictures())) return;
    event.preventDefault();
    found[3]();
  }

  function holdFlicker(event) {
    event.preventDefault();
    if (event.repeat || pressed !== null) return;
    pressed = event.timeStamp;
    seen();
    SR.viewer.flicker();
  }

  /** A tap stays; what was held goes back. */
  function up(event) {
    if (event.key.toLowerCase() !== "f" || pressed === null) return;
    if (event.timeStamp - pressed > HOLD) SR.viewer.flicker();
    pressed = null;
  }

  function help() {
    const all = [...KEYS, ...TOLD];
    const parts = [...new Set(all.map(([, group]) => group))].map((group) =>
      el(
        "section",
        {},
        el("h3", { text: group }),
        el(
          "dl",
          { class: "keys" },
          ...all
            .filter((one) => one[1] === group)
            .flatMap(([key, , what]) => [el("dt", {}, el("kbd", { text: key })), el("dd", { text: what })]),
        ),
      ),
    );
    const dialog = byId("key-dialog");
    dialog.append(
      el(
        "div",
        { class: "dialog-head" },
        el("h2", { id: "key-title", text: "Keys" }),
        el("button", { type: "button", text: "Close", click: () => dialog.close() }),
      ),
      el("div", { class: "keygroups" }, ...parts),
    );
  }

  function start() {
    help();
    byId("help").addEventListener("click", () => byId("key-dialog").showModal());
    addEventListener("keydown", down);
    addEventListener("keyup", up);
    addEventListener("blur", () => {
      pressed = null;
    });
  }

  return { start };
})();
