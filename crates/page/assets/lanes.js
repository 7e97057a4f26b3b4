// Where things are on the picture: lanes from top to bottom, in sections that can be folded.

const NAMES_WIDTH = 178;
const RULER = 38;
const FAULT_ROWS_MAX = 7;

// Puts spans onto as few rows as they need without overlapping: the row of each. The last row takes what is left.
function packed(spans, rowsMax, gap = 0) {
  const ends = [];
  return spans.map((span) => {
    let row = ends.findIndex((end) => end + gap <= span.t);
    if (row < 0) row = ends.length < rowsMax ? ends.length : rowsMax - 1;
    ends[row] = Math.max(ends[row] || 0, span.end);
    return row;
  });
}

const folded = { faults: false, members: false, clients: false, watches: false, leases: false };

const FAULT_ROW = packed(FAULTS, FAULT_ROWS_MAX, DATA.end / 400);
// The faults of each row, in the order of time.
const FAULT_ROWS = [];
FAULTS.forEach((fault, at) => (FAULT_ROWS[FAULT_ROW[at]] ??= []).push(fault));

// Lanes of watch streams: one for each client, more where its streams overlap.
const WATCH_LANES = (() => {
  const clients = new Map();
  for (let row = 0; row < T.watch.n; row++) {
    const client = T.watch.client[row];
    if (!clients.has(client)) clients.set(client, []);
    clients.get(client).push({ row, t: T.watch.t[row], end: endOf(T.watch, row) });
  }
  const lanes = [];
  for (const [client, streams] of clients) {
    const rows = packed(streams, 24);
    for (let row = 0; row <= Math.max(...rows); row++) {
      const here = streams.filter((_, at) => rows[at] === row).map((stream) => stream.row);
      lanes.push({ client, rows: here, told: here.some((at) => STREAMS_TOLD.has(T.watch.stream[at])) });
    }
  }
  return lanes.sort((a, b) => b.told - a.told || a.client - b.client);
})();

const LEASE_LANES = (() => {
  const leases = Array.from(T.lease.t, (t, row) => ({ row, t, end: endOf(T.lease, row) }));
  const lanes = [];
  packed(leases, 60).forEach((lane, at) => (lanes[lane] = lanes[lane] || { rows: [] }).rows.push(leases[at].row));
  return lanes;
})();

// Clients of the story first, then the others in their order.
const CLIENTS = (() => {
  const told = new Set();
  for (const number of PROOF) {
    const row = ROW_OF_OPERATION.get(number);
    if (row !== undefined) told.add(T.operation.client[row]);
  }
  const clients = [...OF.client.keys()].map((client) => ({ client, told: told.has(client) }));
  return clients.sort((a, b) => b.told - a.told || a.client - b.client);
})();

// The parts of a member's lane, from its top.
const LANE = { role: 3, roleHeight: 17, log: 23, logHeight: 7, disk: 33, diskHeight: 7, notes: 47, height: 52 };

// How much room messages have between two members, and how high the lane of a client is: more if the lanes do not fill
// the picture.
const [GAP, GAP_MAX] = [34, 84];
const [CLIENT, CLIENT_MAX] = [19, 30];

// All lanes with their places, and the height of all.
function layOut(gap, client) {
  const lanes = [];
  let y = 0;
  const section = (name, title, count, fill) => {
    if (!count) return;
    lanes.push({ type: "section", name, title: `${title} (${count})`, y, h: 20 });
    y += 20;
    if (!folded[name]) {
      fill();
      y += 6;
    }
  };
  const lane = (type, h, more) => {
    lanes.push({ type, y, h, ...more });
    y += h;
  };
  const watchesFirst = STREAMS_TOLD.size > 0;
  const clients = () =>
    section("clients", "Clients", CLIENTS.length, () => {
      for (const one of CLIENTS) lane("client", one.told ? CLIENT_MAX : client, one);
    });
  const watches = () =>
    section("watches", "Watch streams", T.watch.n, () => {
      for (const watch of WATCH_LANES) lane("watch", watch.told ? 24 : 15, watch);
    });
  section("faults", "Faults", FAULTS.length, () => {
    for (const faults of FAULT_ROWS) lane("fault", 16, { faults });
  });
  section("members", "Members", MEMBERS.length, () => {
    y += 4;
    for (const member of MEMBERS) {
      lane("member", LANE.height + (OF.clock.has(member) ? 18 : 0), { member });
      y += gap;
    }
  });
  if (watchesFirst) watches();
  clients();
  if (!watchesFirst) watches();
  section("leases", "Leases", T.lease.n, () => {
    for (const lease of LEASE_LANES) lane("lease", 15, lease);
  });
  return { lanes, height: y + 8 };
}

let layout;
let laneOf;

// Lays everything out for a picture of this height.
function arrange(height) {
  layout = layOut(GAP, CLIENT);
  const room = () => Math.max(0, height - RULER - layout.height - 10);
  const gap = Math.min(GAP_MAX, GAP + room() / Math.max(1, MEMBERS.length));
  layout = layOut(gap, CLIENT);
  layout = layOut(gap, Math.min(CLIENT_MAX, CLIENT + room() / Math.max(1, CLIENTS.length)));
  laneOf = { member: new Map(), client: new Map(), stream: new Map() };
  for (const lane of layout.lanes) {
    if (lane.type === "member") laneOf.member.set(lane.member, lane);
    if (lane.type === "client") laneOf.client.set(lane.client, lane);
    if (lane.type === "watch") for (const row of lane.rows) laneOf.stream.set(T.watch.stream[row], lane);
  }
}
