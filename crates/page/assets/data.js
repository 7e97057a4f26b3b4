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

// All numbers of a column.
function numbersOf(text) {
  const numbers = new Float64Array(text.length);
  let count = 0;
  let value = 0;
  let scale = 1;
  for (let at = 0; at < text.length; at++) {
    const digit = DIGIT[text.charCodeAt(at)];
    value += (digit & 31) * scale;
    if (digit < 32) {
      numbers[count++] = value;
      value = 0;
      scale = 1;
    } else scale *= 32;
  }
  return numbers.subarray(0, count);
}

// A number that may be negative.
function signed(number) {
  const half = Math.floor(number / 2);
  return number === 2 * half ? half : -half;
}

// The texts of a block: templates, and the numbers in their gaps. A text is put together when somebody wants it.
class Pool {
  constructor(block) {
    const words = numbersOf(block.words);
    this.templates = block.templates.map((text) => text.split("\u0001"));
    this.template = new Uint32Array(words.length);
    // Where the numbers of a text begin.
    this.from = new Uint32Array(words.length);
    this.numbers = new Float64Array(words.length);
    const last = this.templates.map((parts) => new Float64Array(parts.length - 1));
    let count = 0;
    for (let at = 0; at < words.length; count++) {
      const place = words[at++];
      this.template[count] = place;
      this.from[count] = at;
      const numbers = last[place];
      for (let gap = 0; gap < numbers.length; gap++, at++) this.numbers[at] = numbers[gap] += signed(words[at]);
    }
  }
  text(nth) {
    const parts = this.templates[this.template[nth]];
    let text = parts[0];
    for (let gap = 1; gap < parts.length; gap++) text += this.numbers[this.from[nth] + gap - 1] + parts[gap];
    return text;
  }
}

// The texts of a table's field.
class Texts {
  constructor(count, pool) {
    this.places = new Uint32Array(count);
    this.pool = pool;
  }
  at(row) {
    return this.pool.text(this.places[row]);
  }
}

// Reads all tables. Each is an object of arrays: `t`, the times; `seq`, the order among all rows; and one for each
// name; a text is `table.name.at(row)`. Rows are in the order of time. All rows of a table are in one block.
function readTables(blocks) {
  const tables = {};
  const all = TABLES.map(([name, key, numbers, texts]) => {
    const names = [key, numbers, texts].map((words) => (words ? words.split(" ") : []));
    return { table: (tables[name] = { n: 0 }), names, lists: [] };
  });
  let seq = 0;
  for (const block of blocks) {
    const kinds = numbersOf(block.kinds);
    const pool = new Pool(block);
    const counts = new Uint32Array(TABLES.length);
    for (const kind of kinds) counts[block.shapes[kind][0]]++;
    for (const [at, { table, names, lists }] of all.entries()) {
      if (!counts[at] && table.t) continue;
      table.t = new Float64Array(counts[at]);
      table.seq = new Float64Array(counts[at]);
      const make = [
        () => new Uint32Array(counts[at]),
        () => new Float64Array(counts[at]),
        () => new Texts(counts[at], pool),
      ];
      names.forEach((group, part) => (lists[part] = group.map((field) => (table[field] = make[part]()))));
    }
    seq = readRows(block, kinds, all, seq);
  }
  return tables;
}

function readRows(block, kinds, all, first) {
  const times = numbersOf(block.times);
  const numbers = numbersOf(block.numbers);
  const series = new Map();
  const shapes = block.shapes.map(([table, a, b, c, d, changed]) => {
    const name = `${table} ${a} ${b} ${c}`;
    if (!series.has(name)) series.set(name, new Float64Array(7));
    const places = [];
    for (let at = 0; at < 7; at++) if (changed & (1 << at)) places.push(at);
    return { of: all[table], key: [a, b, c, d], places, last: series.get(name) };
  });
  let [time, next, text] = [0, 0, 0];
  for (let nth = 0; nth < kinds.length; nth++) {
    time += times[nth];
    const { of, key, places, last } = shapes[kinds[nth]];
    for (let at = 0; at < places.length; at++) last[places[at]] += signed(numbers[next++]);
    const { table, lists } = of;
    const row = table.n++;
    table.t[row] = time;
    table.seq[row] = first + nth;
    const [keys, values, texts] = lists;
    for (let at = 0; at < keys.length; at++) keys[at][row] = key[at];
    for (let at = 0; at < values.length; at++) values[at][row] = last[at];
    for (let at = 0; at < texts.length; at++) texts[at].places[row] = text++;
  }
  return first + kinds.length;
}

// The first place in a sorted array, not before `from`, at which the value is at least `limit`.
function atLeast(sorted, limit, from = 0) {
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
