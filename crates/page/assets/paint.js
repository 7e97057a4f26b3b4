// Draws the picture. Only what the window shows is drawn, and where many things fall onto one pixel, one of them is.

const frame = document.getElementById("lanes");
const canvas = document.getElementById("picture");
const pen = canvas.getContext("2d");
const overview = document.getElementById("overview");

const view = {
  t0: 0,
  t1: Math.max(1, DATA.end),
  // The moment whose state stands beside the members.
  now: DATA.focus,
  step: -1,
  // What was clicked: { type, row } or { type: "fault", fault }.
  selected: null,
  // Operations that the search found, by number.
  found: new Set(),
  groups: new Set(Object.keys(GROUPS).filter((group) => group !== "client" && group !== "watch")),
  disk: true,
  log: true,
  notes: true,
};

let width = 0;
let height = 0;
// What was drawn, for clicks: rectangles, and lines of messages.
let hits = [];
let lines = [];

const FONT = 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const font = (size, weight = 400) => `${weight} ${size}px ${FONT}`;
const scale = () => (width - NAMES_WIDTH) / (view.t1 - view.t0);
const xOf = (t) => NAMES_WIDTH + (t - view.t0) * scale();
const tOf = (x) => view.t0 + (x - NAMES_WIDTH) / scale();

// ---- colours and patterns ------------------------------------------------------------------------------------------

// The colours are variables of the style sheet, whose first rule names them all.
const COLOURS = [...document.styleSheets[0].cssRules[0].style].filter((name) => name.startsWith("--"));
const colours = {};
let patterns = new Map();
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of COLOURS) colours[name.slice(2)] = style.getPropertyValue(name).trim();
  patterns = new Map();
}

// Strokes of each pattern on a tile of 8 by 8.
const STROKES = {
  rising: [[-1, 9, 9, -1], [-5, 5, 5, -5], [3, 13, 13, 3]],
  falling: [[-1, -1, 9, 9], [3, -5, 13, 5], [-5, 3, 5, 13]],
  crossed: [[-1, 9, 9, -1], [-1, -1, 9, 9]],
  upright: [[2, 0, 2, 8], [6, 0, 6, 8]],
  level: [[0, 4, 8, 4]],
};
function pattern(name, colour, strength = 1) {
  const key = `${name} ${colour} ${strength}`;
  if (!patterns.has(key)) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const ink = tile.getContext("2d");
    ink.strokeStyle = colour;
    ink.lineWidth = strength;
    for (const [a, b, c, d] of STROKES[name]) {
      ink.beginPath();
      ink.moveTo(a, b);
      ink.lineTo(c, d);
      ink.stroke();
    }
    patterns.set(key, pen.createPattern(tile, "repeat"));
  }
  return patterns.get(key);
}

// ---- small things --------------------------------------------------------------------------------------------------

function box(x0, y, x1, h, fill, stroke) {
  const from = Math.max(x0, NAMES_WIDTH - 4);
  const to = Math.min(x1, width + 4);
  if (to < from) return;
  const w = Math.max(to - from, 1.5);
  if (fill) {
    pen.fillStyle = fill;
    pen.fillRect(from, y, w, h);
  }
  if (stroke && w > 3) {
    pen.strokeStyle = stroke;
    pen.strokeRect(from + 0.5, y + 0.5, w - 1, h - 1);
  }
}

function line(x0, y0, x1, y1, colour, thick = 1, dash = []) {
  pen.strokeStyle = colour;
  pen.lineWidth = thick;
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
  pen.setLineDash([]);
  pen.lineWidth = 1;
}

// Lines and filled shapes that are drawn together, which is much faster than one by one.
class Batch {
  constructor() {
    this.strokes = new Map();
    this.fills = new Map();
    this.texts = [];
  }
  path(paths, key) {
    let path = paths.get(key);
    if (!path) paths.set(key, (path = new Path2D()));
    return path;
  }
  line(x0, y0, x1, y1, colour, thick = 1, dash = "") {
    const path = this.path(this.strokes, `${colour}|${thick}|${dash}`);
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
  }
  arrow(x0, y0, x1, y1, colour) {
    const angle = Math.atan2(y1 - y0, x1 - x0);
    const path = this.path(this.fills, colour);
    path.moveTo(x1, y1);
    path.lineTo(x1 - 6 * Math.cos(angle - 0.35), y1 - 6 * Math.sin(angle - 0.35));
    path.lineTo(x1 - 6 * Math.cos(angle + 0.35), y1 - 6 * Math.sin(angle + 0.35));
  }
  rect(x, y, w, h, colour) {
    this.path(this.fills, colour).rect(x, y, w, h);
  }
  border(x, y, w, h, colour) {
    this.path(this.strokes, `${colour}|1|`).rect(x, y, w, h);
  }
  // As `label`, with the font that is set when the batch is drawn.
  text(...label) {
    this.texts.push(label);
  }
  // Fills first, then lines, then texts.
  draw() {
    for (const [colour, path] of this.fills) {
      pen.fillStyle = colour;
      pen.fill(path);
    }
    for (const [key, path] of this.strokes) {
      const [colour, thick, dash] = key.split("|");
      pen.strokeStyle = colour;
      pen.lineWidth = Number(thick);
      pen.setLineDash(dash ? dash.split(" ").map(Number) : []);
      pen.stroke(path);
    }
    pen.setLineDash([]);
    pen.lineWidth = 1;
    for (const text of this.texts) label(...text);
  }
}

// A text within a width; nothing if there is no room. The font must be set.
function label(text, x, y, room, colour) {
  if (room < 9) return;
  let shown = text;
  let wide = pen.measureText(shown).width;
  if (wide > room) {
    const keep = Math.floor((shown.length * room) / wide) - 1;
    if (keep < 2) return;
    shown = `${shown.slice(0, keep)}…`;
  }
  pen.fillStyle = colour;
  pen.fillText(shown, x, y);
}

// A text in a box of its own, on top of others. Returns where it ends.
function tag(text, x, y, colour, fill, size = 11) {
  pen.font = font(size, 600);
  const wide = pen.measureText(text).width + 8;
  pen.fillStyle = fill;
  pen.strokeStyle = colour;
  pen.beginPath();
  pen.roundRect(x, y, wide, size + 6, 3);
  pen.fill();
  pen.stroke();
  pen.fillStyle = colour;
  pen.fillText(text, x + 4, y + size + 1.5);
  return x + wide;
}

function cross(x, y, size, colour) {
  line(x - size, y - size, x + size, y + size, colour, 1.8);
  line(x - size, y + size, x + size, y - size, colour, 1.8);
}

function diamond(x, y, size, fill, stroke) {
  pen.beginPath();
  pen.moveTo(x, y - size);
  pen.lineTo(x + size, y);
  pen.lineTo(x, y + size);
  pen.lineTo(x - size, y);
  pen.closePath();
  pen.fillStyle = fill;
  pen.fill();
  if (stroke) {
    pen.strokeStyle = stroke;
    pen.stroke();
  }
}

const hit = (x0, y0, x1, y1, item) =>
  hits.push({ x0: Math.max(x0 - 2, NAMES_WIDTH), y0, x1: x1 + 2, y1, item });

const isSelected = (type, row) => view.selected && view.selected.type === type && view.selected.row === row;

// Calls `each` for rows of a sorted list whose times are in the window, once for each pixel.
function once(rows, each) {
  const { t0, t1 } = view;
  const pixel = 1 / scale();
  for (let at = atLeast(rows.t, t0); at < rows.t.length && rows.t[at] <= t1; ) {
    const x = xOf(rows.t[at]);
    let next = at + 1;
    if (rows.t[next] - rows.t[at] < pixel) next = atLeast(rows.t, rows.t[at] + pixel, next);
    each(rows.rows[at], x, next < rows.t.length ? xOf(rows.t[next]) - x : 1e9);
    at = next;
  }
}

// ---- the ruler -----------------------------------------------------------------------------------------------------

function tickStep() {
  const least = (110 / scale()) * DATA.unit;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= least) * power;
  return { step: Math.max(1, step / DATA.unit), digits: Math.min(9, Math.max(0, Math.ceil(9 - Math.log10(step)))) };
}

function drawGrid() {
  const { step } = tickStep();
  for (let t = Math.ceil(view.t0 / step) * step; t <= view.t1; t += step)
    line(Math.round(xOf(t)) + 0.5, RULER, Math.round(xOf(t)) + 0.5, height, colours.line);
}

function drawRuler() {
  box(NAMES_WIDTH, 0, width, RULER, colours.panel);
  const { step, digits } = tickStep();
  pen.font = font(11.5);
  for (let t = Math.ceil(view.t0 / step) * step; t <= view.t1; t += step) {
    const x = xOf(t);
    line(x, 0, x, 5, colours.dim);
    label(moment(t, digits), x + 3, 13, 120, colours.dim);
  }
  // Steps of the story; where they are close, one flag for all.
  const flags = [];
  for (const step of STEPS) {
    if (step.t < 0) continue;
    const x = xOf(step.t);
    if (x < NAMES_WIDTH - 1 || x > width + 1) continue;
    const near = flags.find((flag) => Math.abs(flag.x - x) < 20);
    if (near) near.steps.push(step);
    else flags.push({ x, steps: [step] });
  }
  for (const { x, steps } of flags) {
    const current = steps.find((step) => step.at === view.step);
    const text = steps.length > 2 ? `${steps[0].at + 1}…${steps[steps.length - 1].at + 1}` : steps.map((s) => s.at + 1).join(",");
    pen.font = font(11, 700);
    const wide = Math.max(18, pen.measureText(text).width + 10);
    pen.beginPath();
    pen.roundRect(x - wide / 2, 18, wide, 17, 8);
    pen.fillStyle = current ? colours.told : colours.bg;
    pen.fill();
    pen.strokeStyle = colours.told;
    pen.stroke();
    pen.fillStyle = current ? colours.bg : colours.told;
    pen.textAlign = "center";
    pen.fillText(text, x, 30.5);
    pen.textAlign = "left";
    hits.push({ x0: x - wide / 2, x1: x + wide / 2, y0: 18, y1: 35, ruler: true, item: { type: "step", row: (current || steps[0]).at } });
  }
  drawPhases(flags.map((flag) => flag.x));
  line(0, RULER - 0.5, width, RULER - 0.5, colours.line);
}

// Names of phases, beside the flags of the story. Where some begin at one moment, one label for all.
function drawPhases(flags) {
  const labels = [];
  for (let row = 0; row < T.phase.n; row++) {
    const name = PHASES[T.phase.phase[row]];
    const x = xOf(T.phase.t[row]);
    const last = labels[labels.length - 1];
    if (last && x - last.x < 4) last.names.push(name);
    else if (x >= NAMES_WIDTH && x <= width) labels.push({ x, names: [name] });
  }
  pen.font = font(11, 600);
  for (const { x, names } of labels) {
    const aside = flags.some((flag) => Math.abs(flag - x) < 24) ? 14 : 3;
    label(`▸ ${names.join(", ")}`, x + aside, 30.5, 130, colours.dim);
  }
}

// Lines at the violation, at the step of the story and at the moment whose state is shown.
function drawMoments() {
  const draw = (t, colour, thick, dash) => {
    const x = xOf(t);
    if (x >= NAMES_WIDTH && x <= width) line(x, RULER, x, height, colour, thick, dash);
  };
  for (let row = 0; row < T.phase.n; row++) draw(T.phase.t[row], colours.dim, 1, [1, 4]);
  if (document.querySelector(".violated")) {
    draw(DATA.focus, colours.bad, 1.5, []);
    const x = xOf(DATA.focus);
    const left = x > width - 80;
    if (x >= NAMES_WIDTH && x <= width) tag("violation", left ? x - 68 : x + 5, height - 24, colours.bad, colours.bg);
  }
  draw(view.now, colours.accent, 1, [5, 4]);
}

// ---- lanes ---------------------------------------------------------------------------------------------------------

function drawFaults() {
  const top = 2;
  FAULTS.forEach((fault) => {
    const [x0, x1] = [xOf(fault.t), xOf(fault.end)];
    if (x1 < NAMES_WIDTH || x0 > width || x1 - x0 < 0.5) return;
    for (const member of fault.members) {
      const lane = laneOf.member.get(member);
      if (lane) box(x0, lane.y - top, x1, lane.h + 2 * top, pattern("rising", colours.fault, 0.35));
    }
  });
}

function drawFaultLane(lane) {
  let last = -9;
  lane.faults.forEach((fault, at) => {
    const [x0, x1] = [xOf(fault.t), xOf(fault.end)];
    if (x1 < NAMES_WIDTH || x0 > width) return;
    const selected = view.selected && view.selected.fault === fault;
    pen.font = font(11, 600);
    if (fault.end === fault.t) {
      if (x0 - last < 2 && !selected) return;
      diamond(x0, lane.y + 7, 4, colours.fault);
      const next = lane.faults[at + 1];
      const room = (next ? xOf(next.t) : width) - x0 - 16;
      label(nameOfFault(fault), x0 + 7, lane.y + 11, Math.min(room, 160), colours.fault);
      hit(x0 - 4, lane.y, x0 + 5, lane.y + 15, { type: "fault", fault });
    } else {
      box(x0, lane.y + 1, x1, 13, colours.bg);
      box(x0, lane.y + 1, x1, 13, pattern("rising", colours.fault, 0.8), colours.fault);
      const from = Math.max(x0, NAMES_WIDTH) + 3;
      const room = Math.min(x1, width) - from - 4;
      if (room > 24) {
        const text = nameOfFault(fault);
        const wide = Math.min(room, pen.measureText(text).width + 4);
        box(from - 1, lane.y + 2, from + wide, 11, colours.bg);
        label(text, from + 1, lane.y + 11, room, colours.fault);
      }
      hit(x0, lane.y, x1, lane.y + 15, { type: "fault", fault });
    }
    if (selected) box(x0 - 1, lane.y, Math.max(x1, x0 + 8) + 1, 15, null, colours.told);
    last = Math.max(x0, x1);
  });
}

const ROLE_FILL = [
  () => [colours.follower],
  () => [colours.candidate, pattern("upright", colours.bg, 1)],
  () => [colours.candidate, pattern("falling", colours.ink, 0.7)],
  () => [colours.leader],
  () => [colours.lane, pattern("crossed", colours.down, 1)],
];

function roleText(part) {
  if (part.role === DOWN) return part.why || "down";
  const of = part.role === 0 && part.leader ? ` of m${part.leader}` : "";
  return `${ROLES[part.role]}${of} · term ${part.term}`;
}

function drawMember(lane) {
  const { member, y } = lane;
  const parts = LIFE.get(member);
  const [top, tall] = [y + LANE.role, LANE.roleHeight];
  let last = -9;
  for (let at = Math.max(0, lastAt(LIFE_TIMES.get(member), view.t0)); at < parts.length && parts[at].t <= view.t1; at++) {
    const part = parts[at];
    const [x0, x1] = [xOf(part.t), xOf(part.end)];
    if (x1 - last < 0.7) continue;
    last = x1;
    for (const fill of ROLE_FILL[part.role]()) box(x0, top, x1, tall, fill);
    const from = Math.max(x0, NAMES_WIDTH) + 4;
    const room = Math.min(x1, width) - from - 3;
    pen.font = font(11.5, part.role === 3 ? 700 : 500);
    const ink = part.role === 3 ? colours["leader-ink"] : part.role === DOWN ? colours.bad : colours.ink;
    if (part.role === DOWN && room > 40) {
      const wide = Math.min(room, pen.measureText(roleText(part)).width + 6);
      box(from - 3, top + 2, from + wide, tall - 4, colours.bg);
    }
    if (room > 44) label(roleText(part), from, top + 12.5, room, ink);
    else label("FPCL✕"[part.role], from - 1, top + 12.5, Math.max(room, 9) + (room > 7 ? 3 : -9), ink);
    line(x0, top, x0, top + tall, colours.bg, 1);
    if (part.role !== DOWN && part.incarnation > 1 && (at === 0 || parts[at - 1].role === DOWN) && x0 > NAMES_WIDTH) {
      pen.font = font(10, 600);
      label(`▲ start ${part.incarnation}`, x0 - 4, y + LANE.notes + 3, 70, colours.dim);
    }
    hit(x0, top, x1, top + tall, { type: "role", member, part });
  }
  for (const pause of PAUSES.get(member)) {
    const [x0, x1] = [xOf(pause.t), xOf(pause.end)];
    if (x1 < NAMES_WIDTH || x0 > width) continue;
    box(x0, top, x1, tall, pattern("upright", colours.ink, 1.4), colours.ink);
    pen.font = font(11.5, 700);
    const from = Math.max(x0, NAMES_WIDTH) + 3;
    if (Math.min(x1, width) - from > 60) {
      box(from, top + 2, from + 57, tall - 4, colours.bg);
      label("‖ paused", from + 3, top + 12.5, 60, colours.ink);
    }
  }
  if (view.log) drawLog(member, y + LANE.log);
  if (view.disk) drawDisk(member, y + LANE.disk);
  if (view.notes) drawNotes(member, y + LANE.notes);
  if (OF.clock.has(member)) drawClock(member, y + LANE.height);
}

// Appends above the line, applied entries below it, commits as dots on it.
function drawLog(member, y) {
  const middle = y + 3.5;
  line(NAMES_WIDTH, middle, width, middle, colours.line);
  const batch = new Batch();
  once(of("append", member), (row, x) => {
    batch.line(x, y - 1, x, middle, colours.append, 1.2);
    hit(x, y - 2, x, middle - 1, { type: "append", row });
  });
  pen.font = font(9.5);
  once(of("apply", member), (row, x, room) => {
    batch.line(x, middle, x, y + 8, colours.applied, 1.2);
    if (room > 34) label(T.apply.index[row], x + 2, y + 9, room - 4, colours.applied);
    hit(x, middle, x, y + 9, { type: "apply", row });
  });
  once(of("commit", member), (row, x) => batch.rect(x - 1, middle - 1, 2, 2, colours.ink));
  batch.draw();
}

const [SYNCED, FAILED, UNFINISHED, ANY] = [1, 2, 4, 8];

function drawDisk(member, y) {
  const jobs = of("job", member);
  line(NAMES_WIDTH, y + 7.5, width, y + 7.5, colours.line);
  let last = -9;
  // A write may begin before the window; one of the last hundred does, if any.
  for (let at = Math.max(0, atLeast(jobs.t, view.t0) - 100); at < jobs.t.length && jobs.t[at] <= view.t1; at++) {
    const row = jobs.rows[at];
    const bits = T.job.bits[row];
    const [x0, x1] = [xOf(jobs.t[at]), xOf(bits & UNFINISHED && !T.job.lasts[row] ? DATA.end : endOf(T.job, row))];
    const special = bits & (FAILED | UNFINISHED);
    if (x1 < NAMES_WIDTH || (x1 - last < 1 && !special)) continue;
    last = Math.max(last, x1);
    if (bits & FAILED) {
      box(x0, y + 1, x1, 6, null, colours.bad);
      cross(x1, y + 4, 3, colours.bad);
    } else if (bits & UNFINISHED) {
      box(x0, y + 1, x1, 6, pattern("crossed", colours.bad, 0.8), colours.bad);
    } else if (bits & ANY) {
      line(x1, y + 2, x1, y + 7, colours.disk);
    } else {
      box(x0, y + 2, x1, 5, bits & SYNCED ? colours.disk : null, colours.disk);
      if (bits & SYNCED) line(x1, y, x1, y + 8, colours.disk, 1.5);
    }
    hit(x0, y, x1, y + 8, { type: "job", row });
  }
}

function drawNotes(member, y) {
  pen.font = font(10);
  const batch = new Batch();
  once(of("durable", member), (row, x) => {
    batch.rect(x - 1.5, y - 2, 3, 3, colours.disk);
    hit(x - 2, y - 3, x + 2, y + 3, { type: "durable", row });
  });
  once(of("readAsked", member), (row, x) => {
    batch.line(x, y - 3, x, y + 3, colours.read, 1.2);
    hit(x, y - 3, x, y + 3, { type: "readAsked", row });
  });
  once(of("readConfirmed", member), (row, x) => {
    batch.rect(x - 2, y - 2, 4, 4, colours.read);
    hit(x - 2, y - 3, x + 2, y + 3, { type: "readConfirmed", row });
  });
  once(of("note", member), (row, x, room) => {
    if (room < 5) batch.line(x, y - 3, x, y + 3, colours.dim);
    else diamond(x, y, 3, colours.bg, colours.ink);
    if (room > 60) label(T.note.text.at(row), x + 6, y + 3.5, Math.min(room - 14, 190), colours.dim);
    hit(x - 3, y - 4, x + 3, y + 4, { type: "note", row });
  });
  batch.draw();
}

// How far the wall clock is off: a line around the middle.
function drawClock(member, y) {
  const rows = of("clock", member);
  const most = rows.rows.reduce((most, row) => Math.max(most, Math.abs(T.clock.ahead[row])), 1);
  const yAt = (ahead) => y + 8 - 7 * Math.max(-1, Math.min(1, ahead / most));
  line(NAMES_WIDTH, y + 8, width, y + 8, colours.line);
  pen.strokeStyle = colours.clock;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(NAMES_WIDTH, yAt(clockAt(member, view.t0)));
  for (const t of rows.t) {
    if (t < view.t0 || t > view.t1) continue;
    pen.lineTo(xOf(t), yAt(clockAt(member, t - 1e-6)));
    pen.lineTo(xOf(t), yAt(clockAt(member, t)));
  }
  pen.lineTo(width, yAt(clockAt(member, view.t1)));
  pen.stroke();
  pen.lineWidth = 1;
  pen.font = font(10);
  once(rows, (row, x, room) => {
    const ahead = T.clock.ahead[row] * 1;
    label(`clock ${signedSpan(ahead)}`, x + 4, y + (ahead < 0 ? 6 : 15), Math.min(room - 8, 120), colours.clock);
  });
}

const signedSpan = (nanos) => `${nanos < 0 ? "−" : "+"}${span(Math.abs(nanos) / DATA.unit)}`;

const OP_FILL = ["op", "op-failed", "op-unknown"];

// An operation that is neither of the story nor selected.
function batchOperation(batch, lane, row, x0, x1) {
  const outcome = T.operation.outcome[row];
  const [y, h] = [lane.y + 3, lane.h - 6];
  const from = Math.max(x0, NAMES_WIDTH - 4);
  const to = Math.min(x1, width + 4);
  const w = Math.max(to - from, 1.5);
  batch.rect(from, y, w, h, colours[OP_FILL[outcome]]);
  if (outcome === 1) batch.rect(from, y, w, h, pattern("rising", colours.ink, 0.5));
  if (outcome === 2) {
    // Open to the right: nobody knows when it took effect, if ever.
    batch.rect(from, y, w, h, pattern("level", colours.ink, 0.6));
    batch.line(x1, y + h - 2, x1 + 26, y + h - 2, colours.ink, 1.2, "3 3");
    batch.text("?▸", Math.min(x1, width - 20) + 3, y + h - 4, 30, colours.ink);
  } else if (w > 4) batch.border(from + 0.5, y + 0.5, w - 1, h - 1, colours.dim);
  if (w > 30) batch.text(textOf(row), Math.max(x0, NAMES_WIDTH) + 4, y + h / 2 + 4, Math.min(x1, width) - Math.max(x0, NAMES_WIDTH) - 8, colours["op-ink"]);
}

// An operation that matters. Its name comes later, on top of everything.
function drawOperation(lane, row, x0, x1, tags) {
  const number = T.operation.number[row];
  const outcome = T.operation.outcome[row];
  const [y, h] = [lane.y + 3, lane.h - 6];
  const found = view.found.has(number);
  box(x0, y, x1, h, PROOF.has(number) ? colours["told-fill"] : colours[OP_FILL[outcome]]);
  if (outcome === 1) box(x0, y, x1, h, pattern("rising", colours.ink, 0.5));
  if (outcome === 2) {
    box(x0, y, x1, h, pattern("level", colours.ink, 0.6));
    line(x1, y + h - 2, width, y + h - 2, colours.ink, 1.5, [3, 3]);
    pen.font = font(12, 700);
    label("?▸", Math.min(x1, width - 20) + 3, y + h - 4, 30, colours.ink);
  }
  pen.lineWidth = 2.5;
  pen.strokeStyle = found ? colours.good : colours.told;
  pen.strokeRect(x0 - 1, y - 1, Math.max(x1 - x0, 2) + 2, h + 2);
  pen.lineWidth = 1;
  tags.push({ row, x0, x1, y: lane.y, h: lane.h });
}

const textOf = (row) => {
  const answer = T.operation.answer.at(row);
  return T.operation.request.at(row) + (answer ? ` → ${answer}` : "");
};

function drawClients(lanes, tags) {
  const shown = new Map(lanes.map((lane) => [lane.client, lane]));
  const last = new Map();
  const batch = new Batch();
  const special = [];
  within("operation", view.t0, view.t1, (row) => {
    const client = T.operation.client[row];
    const lane = shown.get(client);
    if (!lane) return;
    const number = T.operation.number[row];
    const [x0, x1] = [xOf(T.operation.t[row]), xOf(endOf(T.operation, row))];
    if (PROOF.has(number) || view.found.has(number) || isSelected("operation", row)) {
      special.push([lane, row, x0, x1]);
    } else {
      if (x1 - (last.get(client) ?? -9) < 0.7) return;
      last.set(client, x1);
      batchOperation(batch, lane, row, x0, x1);
    }
    hit(x0, lane.y + 3, Math.max(x1, x0 + 2), lane.y + lane.h - 3, { type: "operation", row });
  });
  pen.font = font(11);
  batch.draw();
  for (const one of special) drawOperation(...one, tags);
}

// Names of the operations that matter, on top of everything else; one above the other where they would overlap.
function drawTags(tags) {
  const ends = new Map();
  for (const { row, x0, x1, y, h } of tags.sort((a, b) => a.x0 - b.x0)) {
    const text = `#${T.operation.number[row]} ${textOf(row)}`;
    const short = text.length > 64 ? `${text.slice(0, 63)}…` : text;
    pen.font = font(11.5, 600);
    const wide = pen.measureText(short).width + 12;
    // Beside the bar on its right, in the bar if that is long, or on its left if there is no room.
    let x = Math.max(x1 + 4, NAMES_WIDTH + 4);
    if (x1 - x0 > 200 || x0 < NAMES_WIDTH) x = Math.max(x0, NAMES_WIDTH) + 6;
    else if (x + wide > width) x = Math.max(NAMES_WIDTH + 4, x0 - wide - 2);
    if (x < (ends.get(y) ?? 0)) continue;
    ends.set(y, tag(short, x, y + h / 2 - 9, colours.told, colours.bg, 11.5) + 3);
  }
}

function drawWatch(lane) {
  const middle = lane.y + lane.h / 2;
  for (const row of lane.rows) {
    const [x0, x1] = [xOf(T.watch.t[row]), xOf(endOf(T.watch, row))];
    if (x1 < NAMES_WIDTH || x0 > width) continue;
    const told = STREAMS_TOLD.has(T.watch.stream[row]);
    const colour = told ? colours.told : colours.watch;
    line(Math.max(x0, NAMES_WIDTH), middle, Math.min(x1, width), middle, colour, told ? 2.5 : 1.2);
    line(x0, middle - 5, x0, middle + 5, colour, 1.5);
    hit(x0, lane.y, x1, lane.y + lane.h, { type: "watch", row });
    if (T.watch.lasts[row] >= 0) {
      if (T.watch.ended.at(row).startsWith("closed")) line(x1, middle - 5, x1, middle + 5, colour, 2);
      else cross(x1, middle, 4, colours.bad);
    }
    const batch = new Batch();
    once(of("delivery", T.watch.stream[row]), (delivery, x, next) => {
      const events = T.delivery.events[delivery];
      const room = Math.min(next, x1 - x);
      if (events && next < 4) {
        batch.line(x, middle - 5, x, middle + 4, colour, 1.5);
      } else if (events) {
        pen.fillStyle = colour;
        pen.beginPath();
        pen.moveTo(x - 4, middle - 6);
        pen.lineTo(x + 4, middle - 6);
        pen.lineTo(x, middle + 4);
        pen.fill();
        pen.font = font(10);
        if (room > 44) label(`${events} to ${T.delivery.revision[delivery]}`, x + 6, middle - 1, room - 10, colours.dim);
      } else {
        pen.strokeStyle = colour;
        pen.beginPath();
        pen.arc(x, middle, 2, 0, 7);
        pen.stroke();
      }
      hit(x - 3, lane.y, x + 3, lane.y + lane.h, { type: "delivery", row: delivery });
    });
    batch.draw();
    if (told) {
      const end = tag(`stream ${T.watch.stream[row]}`, Math.max(x0, NAMES_WIDTH) + 4, lane.y + 3, colours.told, colours.bg);
      pen.font = font(11);
      label(T.watch.watched.at(row), end + 4, lane.y + 11, 150, colours.dim);
    }
  }
}

function drawLease(lane) {
  for (const row of lane.rows) {
    const [x0, x1] = [xOf(T.lease.t[row]), xOf(endOf(T.lease, row))];
    if (x1 < NAMES_WIDTH || x0 > width) continue;
    box(x0, lane.y + 3, x1, 9, colours.lane, colours.clock);
    once(of("renewal", T.lease.place[row]), (_, x) => line(x, lane.y + 3, x, lane.y + 12, colours.clock, 1.5));
    pen.font = font(10);
    label(`lease ${T.lease.id.at(row)}, ${T.lease.seconds[row]} s`, Math.max(x0, NAMES_WIDTH) + 4, lane.y + 11, Math.min(x1, width) - Math.max(x0, NAMES_WIDTH) - 6, colours.ink);
    if (T.lease.lasts[row] >= 0) cross(x1, lane.y + 7.5, 3, T.lease.ended.at(row).startsWith("revoked") ? colours.dim : colours.bad);
    hit(x0, lane.y + 2, x1, lane.y + 13, { type: "lease", row });
  }
}

// ---- messages ------------------------------------------------------------------------------------------------------

// The vertical ends of a message's line; nothing if an end is not on the picture.
function endsOf(row) {
  const [from, to] = [laneOf.member.get(T.message.from[row]), laneOf.member.get(T.message.to[row])];
  if (from && to) return from.y < to.y ? [from.y + from.h + 1, to.y - 1] : [from.y - 1, to.y + to.h + 1];
  const member = from || to;
  if (!member) return undefined;
  const operation = ROW_OF_OPERATION.get(T.message.operation[row] - 1);
  const client = operation === undefined ? undefined : laneOf.client.get(T.operation.client[operation]);
  const edge = member.y + member.h + 1;
  const other = client ? client.y + 2 : edge + 22;
  return from ? [edge, other] : [other, edge];
}

function drawMessages() {
  const table = T.message;
  const count = atLeast(table.t, view.t1) - atLeast(table.t, view.t0);
  const grain = count > 6000 ? 4 : count > 1500 ? 2 : 0.8;
  const arrows = count < 700;
  const on = KINDS.map(([, , group]) => view.groups.has(group));
  // Where the last line from one member to another was drawn, of usual ones and of those that were lost or late.
  const last = new Float64Array(2 * 64 * 64).fill(-9);
  const special = [];
  const batch = new Batch();
  const names = [];
  within("message", view.t0, view.t1, (row) => {
    const kind = table.kind[row];
    const selected = isSelected("message", row);
    if (!on[kind] && !selected) return;
    const x0 = xOf(table.t[row]);
    const odd = isLost(row) || isLate(row);
    const pair = (((table.from[row] & 63) << 6) | (table.to[row] & 63)) * 2 + (odd ? 1 : 0);
    if (x0 - last[pair] < (odd ? 1.5 : grain) && !selected) return;
    last[pair] = x0;
    if (odd || selected) return void special.push(row);
    const y = endsOf(row);
    if (!y) return;
    const x1 = xOf(table.t[row] + table.lasts[row]);
    const [, short, group] = KINDS[kind];
    const colour = colours[group];
    batch.line(x0, y[0], x1, y[1], colour, 1, fateOf(row) === UNDER_WAY ? "2 3" : group === "heartbeat" ? "4 2" : "");
    if (arrows) batch.arrow(x0, y[0], x1, y[1], colour);
    lines.push([x0, y[0], x1, y[1], row]);
    if (arrows && x1 - x0 > 46) names.push([short, (x0 + x1) / 2 + 3, (y[0] + y[1]) / 2 + 3, 60, colour]);
  });
  pen.globalAlpha = count > 1500 ? 0.5 : 0.85;
  batch.draw();
  pen.globalAlpha = 1;
  pen.font = font(9.5);
  for (const name of names) label(...name);
  special.forEach(drawOdd);
}

// A message that was lost, late or selected.
function drawOdd(row) {
  const table = T.message;
  const ends = endsOf(row);
  if (!ends) return;
  const [x0, x1] = [xOf(table.t[row]), xOf(table.t[row] + table.lasts[row])];
  let [y0, y1] = ends;
  const [, short, group] = KINDS[table.kind[row]];
  if (isLost(row)) {
    // It ends on the way.
    y1 = y0 + (y1 - y0) * (table.lasts[row] ? 0.8 : 0.45);
    line(x0, y0, x1, y1, colours.bad, 1, [3, 2]);
    cross(x1, y1, 3, colours.bad);
  } else {
    line(x0, y0, x1, y1, colours[group], 1.8, isLate(row) ? [9, 3, 2, 3] : []);
    arrow(x0, y0, x1, y1, colours[group]);
    pen.font = font(9.5, 600);
    const at = Math.min(Math.max((x0 + x1) / 2, NAMES_WIDTH), width - 90);
    if (isLate(row) && x1 - x0 > 40) label(`${short} late ${span(table.lasts[row])}`, at, (y0 + y1) / 2 - 2, 110, colours[group]);
  }
  if (isSelected("message", row)) line(x0, y0, x1, y1, colours.told, 3);
  lines.push([x0, y0, x1, y1, row]);
}

function arrow(...ends) {
  const batch = new Batch();
  batch.arrow(...ends);
  batch.draw();
}

// Between an operation's bar and the member that was asked; and where its entry was applied.
function drawWay(row) {
  const client = laneOf.client.get(T.operation.client[row]);
  const member = laneOf.member.get(T.operation.member[row]);
  if (client && member) {
    const ends = [xOf(T.operation.t[row])];
    if (T.operation.lasts[row] >= 0 && T.operation.outcome[row] < 2) ends.push(xOf(endOf(T.operation, row)));
    ends.forEach((x, back) => {
      line(x, client.y + 2, x, member.y + member.h, colours.told, 1.5, [2, 3]);
      if (back) arrow(x, member.y + member.h, x, client.y + 2, colours.told);
      else arrow(x, client.y, x, member.y + member.h + 1, colours.told);
    });
  }
  for (const { member: id, t } of appliedAt(row)) {
    const lane = laneOf.member.get(id);
    const x = xOf(t);
    if (!lane || x < NAMES_WIDTH) continue;
    pen.strokeStyle = colours.told;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, lane.y + LANE.log + 4, 5, 0, 7);
    pen.stroke();
    pen.lineWidth = 1;
  }
}

// When each member applied the entry of an operation, as far as the page has it.
const applied = new Map();
function appliedAt(row) {
  const index = T.operation.index[row];
  if (!index) return [];
  if (applied.has(row)) return applied.get(row);
  const found = [];
  applied.set(row, found);
  for (const member of MEMBERS)
    for (const apply of of("apply", member).rows)
      if (T.apply.index[apply] === index) found.push({ member, t: T.apply.t[apply], again: !(T.apply.bits[apply] & 2) });
  return found;
}

// ---- what was left out ---------------------------------------------------------------------------------------------

function drawLeftOut() {
  const shade = (kept, types, what) => {
    if (!kept.length) return;
    const lanes = layout.lanes.filter((lane) => types.includes(lane.type));
    if (!lanes.length) return;
    const [y0, y1] = [lanes[0].y - 2, lanes[lanes.length - 1].y + lanes[lanes.length - 1].h + 2];
    for (const [from, to] of [[-1, kept[0]], [kept[1], DATA.end * 2 + 1]]) {
      const [x0, x1] = [Math.max(xOf(from), NAMES_WIDTH), Math.min(xOf(to), width)];
      if (x1 <= x0) continue;
      box(x0, y0, x1, y1 - y0, pattern("falling", colours.line, 1.5));
      if (x1 - x0 > 150) tag(`${what} left out here`, x0 + 10, y0 + LANE.height + 12, colours.dim, colours.bg);
    }
  };
  shade(DATA.kept[2], ["member"], "messages and steps");
  shade(DATA.kept[1], ["client", "watch", "lease"], "operations");
}

// ---- the whole -----------------------------------------------------------------------------------------------------

function drawNames(top) {
  pen.fillStyle = colours.panel;
  pen.fillRect(0, 0, NAMES_WIDTH, height);
  pen.save();
  pen.beginPath();
  pen.rect(0, RULER, NAMES_WIDTH, height - RULER);
  pen.clip();
  pen.translate(0, RULER - top);
  for (const lane of layout.lanes) {
    if (lane.y + lane.h < top || lane.y > top + height) continue;
    const { y } = lane;
    if (lane.type === "section") {
      pen.font = font(11.5, 700);
      label(`${folded[lane.name] ? "▸" : "▾"} ${lane.title}`, 10, y + 14, NAMES_WIDTH - 16, colours.ink);
      hits.push({ x0: 0, x1: NAMES_WIDTH, y0: y, y1: y + lane.h, item: { type: "section", name: lane.name } });
    } else if (lane.type === "member") {
      const state = stateAt(lane.member, view.now);
      pen.font = font(15, 700);
      label(`m${lane.member}`, 12, y + 16, 40, colours.ink);
      pen.font = font(12, 600);
      const what = state.role === DOWN ? "down" : `${state.paused ? "‖ " : ""}${ROLES[state.role]}, term ${state.term}`;
      label(what, 44, y + 16, NAMES_WIDTH - 50, state.role === 3 ? colours.leader : state.role === DOWN ? colours.bad : colours.ink);
      pen.font = font(11);
      if (state.commit !== undefined) label(`commit ${state.commit}, applied ${state.applied ?? "?"}`, 12, y + 31, NAMES_WIDTH - 18, colours.dim);
      const start = state.incarnation > 1 ? `, start ${state.incarnation}` : "";
      if (state.revision !== undefined) label(`revision ${state.revision}${start}`, 12, y + 45, NAMES_WIDTH - 18, colours.dim);
      if (state.clock !== undefined) label(`clock ${signedSpan(state.clock)}`, 12, y + 61, NAMES_WIDTH - 18, colours.clock);
    } else if (lane.type === "client" || lane.type === "watch") {
      pen.font = font(12, lane.told ? 700 : 400);
      const what = lane.type === "client" ? `client ${lane.client}` : `client ${lane.client} watches`;
      label(`${lane.told ? "★ " : ""}${what}`, 12, y + lane.h / 2 + 4, NAMES_WIDTH - 18, lane.told ? colours.told : colours.ink);
    }
  }
  pen.restore();
  pen.font = font(11.5);
  label(MEMBERS.length ? "Members as of" : "Moment", 12, 14, NAMES_WIDTH - 18, colours.dim);
  pen.font = font(12.5, 700);
  label(moment(view.now, 6), 12, 30, NAMES_WIDTH - 18, colours.accent);
  line(NAMES_WIDTH - 0.5, 0, NAMES_WIDTH - 0.5, height, colours.line);
}

// Takes the size that the picture has on the screen, or the one that is given.
function resize(w = frame.clientWidth, h = frame.clientHeight) {
  const ratio = window.devicePixelRatio || 1;
  width = w;
  height = h;
  arrange(height);
  for (const [element, w, h] of [[canvas, width, height], [overview, width, 50]]) {
    element.style.width = `${w}px`;
    element.style.height = `${h}px`;
    element.width = Math.round(w * ratio);
    element.height = Math.round(h * ratio);
  }
  document.getElementById("height").style.height = `${Math.max(0, layout.height + RULER - height)}px`;
}

function paint() {
  const ratio = window.devicePixelRatio || 1;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colours.bg;
  pen.fillRect(0, 0, width, height);
  hits = [];
  lines = [];
  const top = frame.scrollTop;
  drawGrid();
  pen.save();
  pen.beginPath();
  pen.rect(NAMES_WIDTH, RULER, width - NAMES_WIDTH, height - RULER);
  pen.clip();
  pen.translate(0, RULER - top);
  const shown = layout.lanes.filter((lane) => lane.y + lane.h >= top && lane.y <= top + height);
  for (const lane of shown) {
    if (lane.type === "section") box(0, lane.y + 2, width, lane.h - 4, colours.panel);
    else if (lane.type !== "fault") box(NAMES_WIDTH, lane.y, width, lane.h, colours.lane);
  }
  drawLeftOut();
  drawFaults();
  if (laneOf.member.size) drawMessages();
  const tags = [];
  for (const lane of shown) {
    if (lane.type === "fault") drawFaultLane(lane);
    else if (lane.type === "member") drawMember(lane);
    else if (lane.type === "watch") drawWatch(lane);
    else if (lane.type === "lease") drawLease(lane);
  }
  drawClients(shown.filter((lane) => lane.type === "client"), tags);
  const ways = tags.filter(({ row }) => !view.found.has(T.operation.number[row])).slice(0, 24);
  for (const { row } of ways) drawWay(row);
  drawTags(tags);
  pen.restore();
  drawMoments();
  drawRuler();
  drawNames(top);
  paintOverview();
}

// ---- the whole run, small ------------------------------------------------------------------------------------------

let still = null;

// What does not change with the window is drawn once.
function overviewStill() {
  still = document.createElement("canvas");
  still.width = overview.width;
  still.height = overview.height;
  const ink = still.getContext("2d");
  const ratio = window.devicePixelRatio || 1;
  ink.setTransform(ratio, 0, 0, ratio, 0, 0);
  ink.fillStyle = colours.bg;
  ink.fillRect(0, 0, width, 50);
  const x = (t) => NAMES_WIDTH + (t / DATA.end) * (width - NAMES_WIDTH);
  ink.font = font(10.5);
  const name = (text, y) => {
    ink.fillStyle = colours.dim;
    ink.fillText(text, 12, y);
  };
  ink.textAlign = "left";
  for (const member of MEMBERS)
    for (const part of LIFE.get(member)) {
      if (part.role !== 3) continue;
      const [x0, x1] = [x(part.t), x(part.end)];
      ink.fillStyle = colours.leader;
      ink.globalAlpha = 0.55 + (member % 2) * 0.45;
      ink.fillRect(x0, 3, Math.max(1, x1 - x0), 12);
      ink.globalAlpha = 1;
      ink.fillStyle = colours["leader-ink"];
      if (x1 - x0 > 24) ink.fillText(`m${member}`, x0 + 3, 12.5);
    }
  if (MEMBERS.length) name("leader", 13);
  const bins = new Float64Array(width);
  for (let row = 0; row < T.operation.n; row++) bins[Math.min(width - 1, Math.floor(x(T.operation.t[row])))]++;
  const most = bins.reduce((most, bin) => Math.max(most, bin), 1);
  ink.fillStyle = colours.op;
  bins.forEach((bin, at) => bin && ink.fillRect(at, 32 - (bin / most) * 15, 1, (bin / most) * 15));
  name("operations", 29);
  ink.fillStyle = colours.bad;
  for (let row = 0; row < T.message.n; row++) if (isLost(row)) ink.fillRect(Math.floor(x(T.message.t[row])), 32, 1, 3);
  for (const fault of FAULTS) {
    ink.fillStyle = pattern("rising", colours.fault, 1);
    ink.fillRect(x(fault.t), 37, Math.max(1.5, x(fault.end) - x(fault.t)), 9);
  }
  if (FAULTS.length) name("faults", 46);
  if (document.querySelector(".violated")) {
    ink.fillStyle = colours.bad;
    ink.fillRect(x(DATA.focus) - 1, 0, 2, 50);
  }
}

function paintOverview() {
  const ink = overview.getContext("2d");
  if (!still || still.width !== overview.width) overviewStill();
  ink.setTransform(1, 0, 0, 1, 0, 0);
  ink.drawImage(still, 0, 0);
  const ratio = window.devicePixelRatio || 1;
  ink.setTransform(ratio, 0, 0, ratio, 0, 0);
  const x = (t) => NAMES_WIDTH + (t / DATA.end) * (width - NAMES_WIDTH);
  const [x0, x1] = [Math.max(x(view.t0), NAMES_WIDTH), Math.min(x(view.t1), width)];
  ink.fillStyle = colours.accent;
  ink.globalAlpha = 0.16;
  ink.fillRect(x0, 0, Math.max(3, x1 - x0), 50);
  ink.globalAlpha = 1;
  ink.strokeStyle = colours.accent;
  ink.lineWidth = 2;
  ink.strokeRect(x0, 1, Math.max(3, x1 - x0), 48);
}
