// Reads the data of the page: rows in columns of small numbers. `src/block.rs` says how they are written.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const DIGIT = new Uint8Array(128);
for (let at = 0; at < 64; at++) DIGIT[DIGITS.charCodeAt(at)] = at;

// A table of `src/rows.rs`: its name, and the names of its key, its numbers and its texts.
const TABLES = [
  ["role", "member role leader", "term vote", ""],
  ["start", "member", "incarnation", ""],
  ["recovery", "member", "term commit last consistent revision", ""],
  ["stop", "member how", "", "text"],
  ["pause", "member begins", "", ""],
  ["fault", "member", "fault lasts", "kind text"],
  ["phase", "phase", "", ""],
  ["clock", "member", "ahead gains", ""],
  ["operation", "client outcome member", "number lasts index term", "request answer"],
  ["watch", "client member", "stream lasts", "watched ended"],
  ["delivery", "", "stream revision events", "text"],
  ["lease", "client", "place lasts seconds", "id ended"],
  ["renewal", "", "place", ""],
  ["message", "from to kind fate", "lasts term index logTerm commit entries operation", ""],
  ["job", "member bits", "lasts job last term commit", ""],
  ["apply", "member bits", "index term revision", ""],
  ["commit", "member", "index term", ""],
  ["append", "member", "first last term", ""],
  ["readAsked", "member", "context", ""],
  ["readConfirmed", "member", "context index", ""],
  ["durable", "member", "index", ""],
  ["proposal", "member", "operation", ""],
  ["note", "member", "", "text"],
];

class Column {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }
  get ended() {
    return this.at >= this.text.length;
  }
  next() {
    let value = 0;
    for (let scale = 1; ; scale *= 32) {
      const digit = DIGIT[this.text.charCodeAt(this.at++)];
      value += (digit & 31) * scale;
      if (digit < 32) return value;
    }
  }
  signed() {
    const value = this.next();
    return value % 2 ? -(value - 1) / 2 : value / 2;
  }
}

// Puts a text together: its template, and the numbers in the gaps.
function textReader(block) {
  const words = new Column(block.words);
  const templates = block.templates.map((text) => text.split("\u0001"));
  const last = templates.map((parts) => new Array(parts.length - 1).fill(0));
  return () => {
    const place = words.next();
    const parts = templates[place];
    let text = parts[0];
    for (let gap = 1; gap < parts.length; gap++) text += (last[place][gap - 1] += words.signed()) + parts[gap];
    return text;
  };
}

// Reads all tables. Each is an object of arrays: `t`, the times; `seq`, the order among all rows; and one for each
// name. Rows are in the order of time. All rows of a table are in one block.
function readTables(blocks) {
  const tables = {};
  const all = TABLES.map(([name, key, numbers, texts]) => {
    const names = [key, numbers, texts].map((words) => (words ? words.split(" ") : []));
    return { table: (tables[name] = { n: 0 }), names, lists: [] };
  });
  let seq = 0;
  for (const block of blocks) {
    const kinds = decoded(block.kinds);
    const counts = new Uint32Array(TABLES.length);
    for (const kind of kinds) counts[block.shapes[kind][0]]++;
    for (const [at, { table, names, lists }] of all.entries()) {
      if (!counts[at] && table.t) continue;
      table.t = new Float64Array(counts[at]);
      table.seq = new Float64Array(counts[at]);
      const make = [() => new Uint32Array(counts[at]), () => new Float64Array(counts[at]), () => new Array(counts[at])];
      names.forEach((group, part) => (lists[part] = group.map((field) => (table[field] = make[part]()))));
    }
    seq = readRows(block, kinds, all, seq);
  }
  return tables;
}

// All numbers of a column.
function decoded(text) {
  const column = new Column(text);
  const numbers = new Uint32Array(text.length);
  let count = 0;
  while (!column.ended) numbers[count++] = column.next();
  return numbers.subarray(0, count);
}

function readRows(block, kinds, all, first) {
  const times = new Column(block.times);
  const numbers = new Column(block.numbers);
  const text = textReader(block);
  const series = new Map();
  const shapes = block.shapes.map((shape) => {
    const name = shape.slice(0, 4).join();
    if (!series.has(name)) series.set(name, new Float64Array(7));
    return { key: shape.slice(1, 5), changed: shape[5], last: series.get(name), ...all[shape[0]] };
  });
  let time = 0;
  for (let nth = 0; nth < kinds.length; nth++) {
    time += times.next();
    const { table, lists, key, changed, last } = shapes[kinds[nth]];
    for (let at = 0, bits = changed; bits; at++, bits >>= 1) if (bits & 1) last[at] += numbers.signed();
    const row = table.n++;
    table.t[row] = time;
    table.seq[row] = first + nth;
    const [keys, values, texts] = lists;
    for (let at = 0; at < keys.length; at++) keys[at][row] = key[at];
    for (let at = 0; at < values.length; at++) values[at][row] = last[at];
    for (let at = 0; at < texts.length; at++) texts[at][row] = text();
  }
  return first + kinds.length;
}

// The first place in a sorted array at which the value is at least `limit`.
function atLeast(sorted, limit) {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (sorted[middle] < limit) from = middle + 1;
    else to = middle;
  }
  return from;
}

// The last row of a list at or before a time, or -1.
const lastAt = (times, time) => atLeast(times, time + 1e-9) - 1;
