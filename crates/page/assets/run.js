// What the page knows of the run, made ready to be drawn and asked: rows by member and by client, the role of each
// member through time, names of things.

const DATA = JSON.parse(document.getElementById("data").textContent);
const T = readTables(DATA.blocks);

const ROLES = ["follower", "pre-candidate", "candidate", "leader"];
const DOWN = 4;
const LOSSES = [
  "",
  "lost on the link",
  "lost: the link was cut when it was sent",
  "lost: the link was cut when it should have arrived",
  "lost: damaged",
  "lost: a rule of the plan dropped it",
  "lost: its receiver was gone",
  "lost: the link's queue was full",
  "under way at the end",
  "delivered again: the network doubled it",
];
const UNDER_WAY = 8;

// Kinds of messages in the order of `MessageKind`: name, short name, group.
const KINDS = [
  ["append", "app", "append"],
  ["append response", "app✓", "append"],
  ["vote request", "vote?", "vote"],
  ["vote response", "vote✓", "vote"],
  ["pre-vote request", "pre?", "vote"],
  ["pre-vote response", "pre✓", "vote"],
  ["heartbeat", "hb", "heartbeat"],
  ["heartbeat response", "hb✓", "heartbeat"],
  ["snapshot", "snap", "snapshot"],
  ["proposal", "prop", "proposal"],
  ["request to transfer leadership", "move?", "vote"],
  ["order to campaign now", "now!", "vote"],
  ["read-index request", "read?", "read"],
  ["read-index response", "read✓", "read"],
  ["client's request", "req", "client"],
  ["answer to a client", "ans", "client"],
  ["watch request", "w?", "watch"],
  ["watch response", "w!", "watch"],
  ["call to a member", "call", "call"],
  ["answer to a call", "call✓", "call"],
  ["other message", "?", "call"],
];
const GROUPS = {
  append: "Appends",
  heartbeat: "Heartbeats",
  vote: "Votes and transfers",
  snapshot: "Snapshots",
  proposal: "Forwarded proposals",
  read: "Read index",
  call: "Calls between members",
  client: "Clients' requests and answers",
  watch: "Watch streams",
};
const PHASES = { 1: "chaos", 2: "heal", 3: "settle", 4: "end" };
const OUTCOMES = ["answered", "failed", "unknown"];

// ---- moments -------------------------------------------------------------------------------------------------------

const BASE = BigInt(DATA.base);
const BASE_SECONDS = Number(BASE / 1000000000n);
const BASE_NANOS = Number(BASE % 1000000000n);
const ns = (t) => t * DATA.unit;
const SHORT = BASE_SECONDS === 0 && BASE_NANOS + ns(DATA.end) < 1e6;
const SECOND = 1e9 / DATA.unit;

// A moment in seconds, with so many digits after the point. Like all texts of this project, moments of a history whose
// times are only numbers are in ns.
function moment(t, digits = 3) {
  if (SHORT) return `${Math.round(BASE_NANOS + ns(t))} ns`;
  const nanos = BASE_NANOS + Math.max(0, ns(t));
  let seconds = BASE_SECONDS + Math.floor(nanos / 1e9);
  let fraction = Math.round((nanos % 1e9) / 10 ** (9 - digits));
  if (fraction === 10 ** digits) {
    fraction = 0;
    seconds += 1;
  }
  return digits ? `${seconds}.${String(fraction).padStart(digits, "0")} s` : `${seconds} s`;
}

// A length of time.
function span(t) {
  const nanos = ns(t);
  if (nanos < 1e3) return `${Math.round(nanos)} ns`;
  if (nanos < 1e6) return `${+(nanos / 1e3).toFixed(1)} µs`;
  if (nanos < 1e9) return `${+(nanos / 1e6).toFixed(2)} ms`;
  return `${+(nanos / 1e9).toFixed(3)} s`;
}

// ---- rows by something ---------------------------------------------------------------------------------------------

// The rows of a table by the value of a field: for each value their places, with their times in `t`.
function by(table, field) {
  const groups = new Map();
  for (let row = 0; row < table.n; row++) {
    const value = table[field][row];
    let group = groups.get(value);
    if (!group) groups.set(value, (group = { rows: [], t: [] }));
    group.rows.push(row);
    group.t.push(table.t[row]);
  }
  return groups;
}

const NONE = { rows: [], t: [] };
const OF = {};
for (const name of ["start", "stop", "role", "recovery", "pause", "clock", "job", "apply", "commit", "append"])
  OF[name] = by(T[name], "member");
for (const name of ["readAsked", "readConfirmed", "durable", "proposal", "note"]) OF[name] = by(T[name], "member");
OF.client = by(T.operation, "client");
OF.delivery = by(T.delivery, "stream");
OF.renewal = by(T.renewal, "place");
const of = (name, key) => OF[name].get(key) || NONE;

const MEMBERS = (() => {
  const ids = new Set();
  for (let id = 1; id <= DATA.members; id++) ids.add(id);
  for (const name of ["start", "role"]) for (const id of OF[name].keys()) if (id > 0) ids.add(id);
  return [...ids].sort((a, b) => a - b);
})();

const ROW_OF_OPERATION = new Map(Array.from(T.operation.number, (number, row) => [number, row]));
const PROOF = new Set(DATA.proof);
for (const [, , operation] of DATA.steps) if (operation >= 0) PROOF.add(operation);

// When a row ends; one without an end lasts to the end of the run.
const endOf = (table, row) => (table.lasts[row] < 0 ? DATA.end : table.t[row] + table.lasts[row]);

// Blocks of 256 rows with the latest end in each, to find rows that began before the window and reach into it.
function reach(table) {
  const ends = [];
  for (let row = 0; row < table.n; row++) {
    const block = row >> 8;
    ends[block] = Math.max(ends[block] || 0, endOf(table, row));
  }
  return ends;
}
const REACH = { message: reach(T.message), operation: reach(T.operation) };

// Calls `each` with every row of a table that meets the window.
function within(name, from, to, each) {
  const table = T[name];
  const last = atLeast(table.t, to);
  for (let block = 0; block << 8 < last; block++) {
    if (REACH[name][block] < from) continue;
    const end = Math.min(last, (block + 1) << 8);
    for (let row = block << 8; row < end; row++) if (endOf(table, row) >= from) each(row);
  }
}

// ---- members through time ------------------------------------------------------------------------------------------

// The spans of a member's life: its role and term, or that it is down.
function lifeOf(member) {
  const facts = [];
  for (const name of ["start", "stop", "role", "recovery"])
    for (const row of of(name, member).rows) facts.push([T[name].t[row], T[name].seq[row], name, row]);
  facts.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const spans = [];
  let state = { role: DOWN, term: 0, leader: 0, why: "not started", incarnation: 0 };
  const begin = (t, change) => {
    const last = spans[spans.length - 1];
    if (last) last.end = t;
    if (last && last.end === last.t) spans.pop();
    state = { ...state, ...change };
    spans.push({ t, end: DATA.end, ...state });
  };
  begin(0, {});
  for (const [t, , name, row] of facts) {
    if (name === "start") begin(t, { role: 0, leader: 0, why: "", incarnation: T.start.incarnation[row] });
    else if (name === "stop") begin(t, { role: DOWN, leader: 0, why: T.stop.text.at(row) });
    else if (name === "recovery") begin(t, { term: T.recovery.term[row] });
    else begin(t, { role: T.role.role[row], term: T.role.term[row], leader: T.role.leader[row] });
  }
  return spans;
}
const LIFE = new Map(MEMBERS.map((member) => [member, lifeOf(member)]));
const LIFE_TIMES = new Map(MEMBERS.map((member) => [member, LIFE.get(member).map((part) => part.t)]));

const lifeAt = (member, t) => LIFE.get(member)[Math.max(0, lastAt(LIFE_TIMES.get(member), t))];

// The times in which a member is paused.
const PAUSES = new Map(
  MEMBERS.map((member) => {
    const spans = [];
    for (const row of of("pause", member).rows) {
      if (T.pause.begins[row]) spans.push({ t: T.pause.t[row], end: DATA.end });
      else if (spans.length) spans[spans.length - 1].end = T.pause.t[row];
    }
    return [member, spans];
  }),
);

// How far a member's wall clock is ahead, in nanoseconds; `undefined` if no fault moved it.
function clockAt(member, t) {
  const rows = of("clock", member);
  const at = lastAt(rows.t, t);
  if (at < 0) return rows.rows.length ? 0 : undefined;
  const row = rows.rows[at];
  return T.clock.ahead[row] + (ns(t - T.clock.t[row]) * T.clock.gains[row]) / 1e6;
}

// What a member has at a moment: role, term, commit, applied, revision.
function stateAt(member, t) {
  const life = lifeAt(member, t);
  const last = (name) => {
    const rows = of(name, member);
    const at = lastAt(rows.t, t);
    // Nothing is known of an earlier process.
    return at >= 0 && rows.t[at] >= startedBefore(member, t) ? rows.rows[at] : -1;
  };
  const [commit, apply, recovery] = ["commit", "apply", "recovery"].map(last);
  return {
    ...life,
    paused: PAUSES.get(member).some((pause) => pause.t <= t && t < pause.end),
    commit: commit >= 0 ? T.commit.index[commit] : recovery >= 0 ? T.recovery.commit[recovery] : undefined,
    applied: apply >= 0 ? T.apply.index[apply] : recovery >= 0 ? T.recovery.consistent[recovery] : undefined,
    revision: apply >= 0 ? T.apply.revision[apply] : recovery >= 0 ? T.recovery.revision[recovery] : undefined,
    clock: clockAt(member, t),
  };
}

function startedBefore(member, t) {
  const starts = of("start", member).t;
  const at = lastAt(starts, t);
  return at < 0 ? 0 : starts[at];
}

// ---- faults --------------------------------------------------------------------------------------------------------

// Each strike of a fault with all members that it struck.
const FAULTS = (() => {
  const strikes = new Map();
  for (let row = 0; row < T.fault.n; row++) {
    const key = `${T.fault.fault[row]} ${T.fault.t[row]}`;
    let strike = strikes.get(key);
    if (!strike) {
      const end = T.fault.lasts[row] < 0 ? DATA.end : T.fault.t[row] + T.fault.lasts[row];
      strike = { fault: T.fault.fault[row], t: T.fault.t[row], end, kind: T.fault.kind.at(row), text: T.fault.text.at(row) };
      strikes.set(key, { ...strike, members: [] });
      strike = strikes.get(key);
    }
    if (T.fault.member[row]) strike.members.push(T.fault.member[row]);
    strike.end = Math.max(strike.end, T.fault.lasts[row] < 0 ? DATA.end : T.fault.t[row] + T.fault.lasts[row]);
  }
  return [...strikes.values()];
})();
const nameOfFault = (fault) => fault.kind + (fault.members.length ? ` ${fault.members.map((id) => `m${id}`).join(" ")}` : "");

// ---- what is late --------------------------------------------------------------------------------------------------

// A message between members that took longer than this is late.
const LATE = (() => {
  const times = [];
  for (let row = 0; row < T.message.n; row += 1 + (T.message.n >> 14))
    if (T.message.from[row] && T.message.to[row] && T.message.fate[row] >> 1 === 0) times.push(T.message.lasts[row]);
  times.sort((a, b) => a - b);
  return Math.max(8 * (times[times.length >> 1] || 0), SECOND / 200);
})();
const fateOf = (row) => T.message.fate[row] >> 1;
const isLost = (row) => fateOf(row) > 0 && fateOf(row) < UNDER_WAY;
const isLate = (row) => !isLost(row) && T.message.lasts[row] > LATE;

// ---- the story -----------------------------------------------------------------------------------------------------

const STEPS = [...document.querySelectorAll("[data-step]")].map((element, at) => {
  const [time, member, operation] = DATA.steps[at] || [-1, -1, -1];
  const named = /\bstream (\d+)/.exec(element.textContent);
  const row = ROW_OF_OPERATION.get(operation);
  return {
    at,
    element,
    t: time >= 0 ? time : row === undefined ? -1 : T.operation.t[row],
    member,
    operation,
    stream: named ? Number(named[1]) : -1,
  };
});
const STREAMS_TOLD = new Set(STEPS.filter((step) => step.stream >= 0).map((step) => step.stream));
