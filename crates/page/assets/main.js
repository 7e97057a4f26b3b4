// Opens the page at the violation and answers mouse and keys.

const root = document.documentElement;
const LEAST = 20000 / DATA.unit;
const WHOLE = DATA.end * 1.02 + 1;

window.addEventListener("error", (event) => (root.dataset.error = event.message));

// ---- moving --------------------------------------------------------------------------------------------------------

let asked = false;
function redraw() {
  if (asked || printing) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    paint();
    tell();
  });
}

// Says for screen readers what the window shows.
function tell() {
  const leader = MEMBERS.find((member) => lifeAt(member, view.now).role === 3);
  const who = MEMBERS.length ? `, ${leader ? `m${leader} leads` : "nobody leads"}` : "";
  document.getElementById("now").textContent = `From ${moment(view.t0)} to ${moment(view.t1)}; at ${moment(view.now, 6)}${who}`;
}

function setWindow(t0, t1) {
  const length = Math.min(Math.max(t1 - t0, Math.min(LEAST, WHOLE)), WHOLE);
  const middle = (t0 + t1) / 2;
  const from = Math.max(-0.01 * DATA.end, Math.min(middle - length / 2, DATA.end * 1.01 + 1 - length));
  view.t0 = from;
  view.t1 = from + length;
}

let moving = 0;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// Moves to a window, so that a person sees in which direction.
function glide(t0, t1) {
  cancelAnimationFrame(moving);
  const from = [view.t0, view.t1];
  const began = performance.now();
  const move = () => {
    const part = calm.matches ? 1 : Math.min(1, (performance.now() - began) / 220);
    const eased = part * (2 - part);
    setWindow(from[0] + (t0 - from[0]) * eased, from[1] + (t1 - from[1]) * eased);
    paint();
    if (part < 1) moving = requestAnimationFrame(move);
    else tell();
  };
  move();
}

// Shows a span of time with something around it, without zooming farther than needed.
function show(from, to) {
  const length = view.t1 - view.t0;
  const needed = Math.max((to - from) * 1.5, LEAST);
  const next = Math.max(needed, Math.min(length, Math.max(needed * 6, SECOND / 4)));
  const middle = (from + to) / 2;
  glide(middle - next / 2, middle + next / 2);
}

// Scrolls so that a lane is seen.
function reveal(lane) {
  if (!lane) return;
  const [top, room] = [frame.scrollTop, height - RULER];
  if (lane.y < top || lane.y + lane.h > top + room) frame.scrollTop = Math.max(0, lane.y - room / 2);
}

function zoom(factor, x = (NAMES_WIDTH + width) / 2) {
  const t = tOf(x);
  setWindow(t - (t - view.t0) * factor, t + (view.t1 - t) * factor);
  redraw();
}

function pan(part) {
  const by = (view.t1 - view.t0) * part;
  setWindow(view.t0 + by, view.t1 + by);
  redraw();
}

// Where the page opens: at what proves the violation. A run that held opens as a whole.
function opening() {
  if (!document.querySelector(".violated")) return [0, DATA.end];
  // The violation, the last call and all answers must be seen; other calls and the moments of the story if they are
  // not far from that. An operation that was called long before reaches into the window from the left.
  const rows = DATA.proof.map((number) => ROW_OF_OPERATION.get(number)).filter((row) => row !== undefined);
  const calls = rows.map((row) => T.operation.t[row]);
  const answers = rows.filter((row) => T.operation.outcome[row] < 2).map((row) => endOf(T.operation, row));
  const needed = [DATA.focus, ...answers, ...calls.slice(-1)];
  let [from, to] = [Math.min(...needed), Math.max(...needed)];
  const most = Math.max(4 * (to - from), SECOND / 40);
  for (const t of [...calls, ...STEPS.filter((step) => step.t >= 0).map((step) => step.t)].sort((a, b) => b - a))
    if (Math.max(to, t) - Math.min(from, t) <= most) [from, to] = [Math.min(from, t), Math.max(to, t)];
  const around = Math.max((to - from) * 0.16, Math.min(SECOND / 60, DATA.end / 8), 4);
  return [from - around, to + around];
}

function open() {
  setWindow(...opening());
  root.dataset.opened = `${Math.round(view.t0)} ${Math.round(view.t1)}`;
}

// ---- light and dark ------------------------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");
function theme(name) {
  root.dataset.theme = name;
  readColours();
  still = null;
}
dark.addEventListener("change", () => {
  theme(dark.matches ? "dark" : "light");
  redraw();
});

// ---- what buttons and keys do --------------------------------------------------------------------------------------

const DO = {
  in: () => zoom(1 / 1.6),
  out: () => zoom(1.6),
  whole: () => glide(0, DATA.end),
  violation: () => {
    const [from, to] = opening();
    view.now = DATA.focus;
    glide(from, to);
  },
  types: () => {
    const box = document.getElementById("types");
    if (!MEMBERS.length) return;
    box.hidden = !box.hidden;
    if (!box.hidden) box.querySelector("input").focus();
  },
  theme: () => {
    theme(root.dataset.theme === "dark" ? "light" : "dark");
    redraw();
  },
  help: () => {
    fillLegend();
    document.getElementById("help").showModal();
  },
  next: () => go(view.step + 1),
  previous: () => go(view.step - 1),
  copy: () => {
    const range = document.createRange();
    range.selectNodeContents(document.getElementById("replay"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  },
};
document.querySelectorAll("[data-do]").forEach((button) => (button.onclick = DO[button.dataset.do]));
if (!document.querySelector(".violated")) document.querySelector('[data-do="violation"]').hidden = true;

const KEYS = {
  n: DO.next, p: DO.previous, "+": DO.in, "=": DO.in, "-": DO.out, 0: DO.whole, Home: DO.whole, v: DO.violation,
  f: DO.types, t: DO.theme, "?": DO.help,
  "/": () => search.focus(),
  ArrowLeft: () => pan(-0.15),
  ArrowRight: () => pan(0.15),
  ArrowUp: () => (frame.scrollTop -= 60),
  ArrowDown: () => (frame.scrollTop += 60),
  Escape: () => {
    document.getElementById("types").hidden = true;
    select(null);
  },
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("help").open) return;
  if (event.target === search) {
    if (event.key === "Enter") toMatch(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") {
      search.value = "";
      searched();
      frame.focus();
    }
    return;
  }
  if (event.target.tagName === "INPUT" && event.key !== "Escape") return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
search.addEventListener("input", searched);

// ---- the mouse -----------------------------------------------------------------------------------------------------

canvas.addEventListener(
  "wheel",
  (event) => {
    if (event.altKey || event.offsetX < NAMES_WIDTH) return;
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan((event.deltaX || event.deltaY) / 900);
    else zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.005), event.offsetX);
  },
  { passive: false },
);
frame.addEventListener("scroll", redraw);

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId);
  drag = { x: event.offsetX, y: event.clientY, t0: view.t0, t1: view.t1, top: frame.scrollTop, moved: false, mark: event.shiftKey };
});
canvas.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const [dx, dy] = [event.offsetX - drag.x, event.clientY - drag.y];
  if (!drag.moved && Math.hypot(dx, dy) < 4) return;
  drag.moved = true;
  canvas.classList.add("moving");
  if (drag.mark) {
    paint();
    pen.globalAlpha = 0.2;
    box(Math.min(drag.x, event.offsetX), RULER, Math.max(drag.x, event.offsetX), height, colours.accent);
    pen.globalAlpha = 1;
    return;
  }
  const by = (dx / (width - NAMES_WIDTH)) * (drag.t1 - drag.t0);
  setWindow(drag.t0 - by, drag.t1 - by);
  frame.scrollTop = drag.top - dy;
  redraw();
});
canvas.addEventListener("pointerup", (event) => {
  canvas.classList.remove("moving");
  const ended = drag;
  drag = null;
  if (!ended) return;
  if (!ended.moved) click(event.offsetX, event.offsetY);
  else if (ended.mark) glide(...[tOf(ended.x), tOf(event.offsetX)].sort((a, b) => a - b));
});

// What is under the pointer: what was drawn last is on top; a message if nothing else is.
function under(x, y) {
  const inside = (rect, at) => rect.x0 <= x && x <= rect.x1 && rect.y0 <= at && at <= rect.y1;
  const lanes = y - RULER + frame.scrollTop;
  for (let at = hits.length - 1; at >= 0; at--) {
    const rect = hits[at];
    if (rect.ruler ? inside(rect, y) : y > RULER && inside(rect, lanes)) return rect.item;
  }
  let best = 6;
  let row = -1;
  for (const [x0, y0, x1, y1, of] of lines) {
    const [dx, dy] = [x1 - x0, y1 - y0];
    const part = Math.max(0, Math.min(1, ((x - x0) * dx + (lanes - y0) * dy) / (dx * dx + dy * dy || 1)));
    const far = Math.hypot(x - x0 - part * dx, lanes - y0 - part * dy);
    if (far < best) [best, row] = [far, of];
  }
  return row < 0 ? null : { type: "message", row };
}

function click(x, y) {
  const item = under(x, y);
  if (item && item.type === "section") {
    folded[item.name] = !folded[item.name];
    resize();
    return redraw();
  }
  if (item && item.type === "step") return go(item.row);
  if (x > NAMES_WIDTH) view.now = Math.max(0, tOf(x));
  select(item);
}

canvas.addEventListener("mousemove", (event) => {
  if (drag) return;
  const item = under(event.offsetX, event.offsetY);
  canvas.style.cursor = item ? "pointer" : "";
  canvas.title = item && item.type !== "section" && item.type !== "step" ? about(item)[0] : "";
});

let sliding = false;
const slide = (event) => {
  const t = ((event.offsetX - NAMES_WIDTH) / (width - NAMES_WIDTH)) * DATA.end;
  const half = (view.t1 - view.t0) / 2;
  setWindow(t - half, t + half);
  redraw();
};
overview.addEventListener("pointerdown", (event) => {
  sliding = true;
  overview.setPointerCapture(event.pointerId);
  slide(event);
});
overview.addEventListener("pointermove", (event) => sliding && slide(event));
overview.addEventListener("pointerup", () => (sliding = false));

// On paper the picture is light, and as high as its lanes need if a page has room for that.
const PAPER = [1400, 860];
let printing = null;
window.addEventListener("beforeprint", () => {
  printing = { theme: root.dataset.theme, top: frame.scrollTop };
  theme("light");
  frame.scrollTop = 0;
  resize(PAPER[0], 0);
  resize(PAPER[0], Math.min(layout.height + RULER, PAPER[1]));
  paint();
});
window.addEventListener("afterprint", () => {
  const { theme: before, top } = printing;
  printing = null;
  theme(before);
  resize();
  frame.scrollTop = top;
  redraw();
});

window.addEventListener("resize", () => {
  if (printing) return;
  resize();
  redraw();
});

// ---- opening -------------------------------------------------------------------------------------------------------

theme(dark.matches ? "dark" : "light");
// Many leases and streams are folded until somebody wants them.
folded.leases = LEASE_LANES.length > 12;
folded.watches = WATCH_LANES.length > 24 && STREAMS_TOLD.size === 0;
resize();
open();
fillFaults();
fillTypes();
tellKept();
if (STEPS.length) go(Math.max(0, STEPS.findIndex((step) => step.t >= 0)), true);
paint();
tell();
root.dataset.painted = Math.round(performance.now());

// For the test of the page: draws windows all over the run, and says how long the slowest took.
if (location.hash === "#measure") {
  let slowest = 0;
  for (const length of [DATA.end, DATA.end / 10, DATA.end / 100, DATA.end / 10000])
    for (let part = 0; part < 12; part++) {
      const began = performance.now();
      setWindow((DATA.end * part) / 12, (DATA.end * part) / 12 + length);
      paint();
      slowest = Math.max(slowest, performance.now() - began);
    }
  root.dataset.slowest = Math.round(slowest);
  open();
  paint();
}
